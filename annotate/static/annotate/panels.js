// The guidelines and the last decisions beside the text, and the list of keys.

import { bindAbout, follow } from "./about.js";
import { bindRows } from "./rows.js";
import * as storage from "./storage.js";
import { bindTextSize } from "./textsize.js";

const REMEMBERED = "winnow/guidelines";

function setGuidelines(isOpen) {
  document.querySelector("#guidelines").hidden = !isOpen;
  document.querySelector("#open-guidelines").setAttribute("aria-expanded", String(isOpen));
  document.querySelector("#bench").toggleAttribute("data-guidelines", isOpen);
  if (isOpen) follow();
}

function setHistory(isOpen) {
  document.querySelector("#history").hidden = !isOpen;
  document.querySelector("#open-history").setAttribute("aria-expanded", String(isOpen));
  if (isOpen) htmx.trigger("#history-list", "wanted");
}

function bindHistory() {
  const isOpen = () => !document.querySelector("#history").hidden;
  document.querySelector("#open-history").addEventListener("click", () => setHistory(!isOpen()));
  document.addEventListener("decided", () => {
    if (isOpen()) htmx.trigger("#history-list", "wanted");
  });
}

export function bindPanels() {
  bindHistory();
  bindAbout();
  bindRows();
  bindTextSize();
  const button = document.querySelector("#open-guidelines");
  setGuidelines(storage.read(REMEMBERED) === "open");
  button.addEventListener("click", () => {
    const isOpen = button.getAttribute("aria-expanded") !== "true";
    setGuidelines(isOpen);
    storage.keep(REMEMBERED, isOpen ? "open" : "closed");
  });
  const keys = document.querySelector("#keys");
  document.querySelector("#open-keys").addEventListener("click", () => keys.showModal());
  keys.addEventListener("close", () => document.querySelector("#document-text")?.focus());
}

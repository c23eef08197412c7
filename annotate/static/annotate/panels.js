// The guidelines beside the text and the list of keys.

import * as storage from "./storage.js";

const REMEMBERED = "winnow/guidelines";

function setGuidelines(isOpen) {
  document.querySelector("#guidelines").hidden = !isOpen;
  document.querySelector("#open-guidelines").setAttribute("aria-expanded", String(isOpen));
  document.querySelector("#bench").toggleAttribute("data-guidelines", isOpen);
}

export function bindPanels() {
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

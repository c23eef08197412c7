// On every page: how much of this person's work waits in this browser, and a stop before logging out with it.

import { waitingOf } from "./outbox.js";
import * as storage from "./storage.js";

const form = document.querySelector("#log-out");
const link = document.querySelector("#waiting-link");

function count() {
  return [...waitingOf(form.dataset.owner).values()].flat().length;
}

function show() {
  const waiting = count();
  link.hidden = waiting === 0;
  link.textContent = link.dataset.text.replace("{n}", String(waiting));
}

form.addEventListener("submit", (event) => {
  if (!count()) return;
  event.preventDefault();
  location.assign(form.dataset.waiting);
});
addEventListener("storage", show);
addEventListener("beforeunload", (event) => {
  if (storage.holdsInMemory(`winnow/outbox/${form.dataset.owner}/`)) event.preventDefault();
});
show();

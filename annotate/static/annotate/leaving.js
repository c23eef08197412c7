// On every page: how much of this person's work waits in this browser, and a stop before logging out with it.

import { waitingOf } from "./outbox.js";
import * as storage from "./storage.js";

const form = document.querySelector("form[data-waiting]");
const link = document.querySelector("#waiting-link");

function count(room) {
  return [...waitingOf(form.dataset.owner, room).values()].flat().length;
}

function show() {
  const waiting = count("outbox");
  const refused = count("refused");
  link.hidden = waiting + refused === 0;
  const text = waiting ? link.dataset.text : link.dataset.refused;
  link.textContent = text.replace("{n}", String(waiting || refused));
}

form.addEventListener("submit", (event) => {
  if (!count("outbox")) return;
  event.preventDefault();
  location.assign(form.dataset.waiting);
});
addEventListener("storage", show);
addEventListener("beforeunload", (event) => {
  if (storage.holdsInMemory(`winnow/outbox/${form.dataset.owner}/`)) event.preventDefault();
});
show();

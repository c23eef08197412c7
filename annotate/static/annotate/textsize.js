// The size of the text: chosen by two buttons, remembered in this browser. And keys are shown once one is pressed.

import * as storage from "./storage.js";

const REMEMBERED = "winnow/text-size";
const USUAL = 1;
const LARGEST = 5; // the sizes themselves are in labeling.css

const bench = document.querySelector("#bench");
const smaller = document.querySelector("#text-smaller");
const larger = document.querySelector("#text-larger");

function size() {
  const kept = Number.parseInt(storage.read(REMEMBERED) ?? USUAL, 10);
  return kept >= 0 && kept <= LARGEST ? kept : USUAL;
}

function set(wanted) {
  const now = Math.min(Math.max(wanted, 0), LARGEST);
  bench.dataset.textSize = now;
  smaller.setAttribute("aria-disabled", String(now === 0));
  larger.setAttribute("aria-disabled", String(now === LARGEST));
  return now;
}

export function bindTextSize() {
  set(size());
  smaller.addEventListener("click", () => storage.keep(REMEMBERED, String(set(size() - 1))));
  larger.addEventListener("click", () => storage.keep(REMEMBERED, String(set(size() + 1))));
  document.addEventListener("keydown", (event) => {
    // NB: the keyboard on a phone's screen sends keys too, but only into a field.
    if (!event.target.closest?.("input, textarea, select")) bench.dataset.keyboard = "";
  });
}

// The next card comes on the screen. The buttons of the labels stay where they are as long as the labels do: to
// lay many of them out anew takes longer than a frame.

import * as finder from "./finder.js";

const PARTS = "#answer > input, .label-search > *, .save > *";
const WATCHED = new Set(["data-cut", "data-swipe"]); // kept by observers, which do not speak when nothing moves
const NARROWED = new Set([...WATCHED, "hidden", "data-place"]); // the finder shows all labels when the text is painted

// Replace the card, or make the one that is shown into the next.
export function swap(shown, next) {
  if (!haveSameButtons(shown, next)) return shown.replaceWith(next);
  restore(shown, next);
  copyAttributes(shown, next);
  for (const part of [...next.children]) {
    if (part.id !== "answer") shown.querySelector(`:scope > [data-part="${part.dataset.part}"]`).replaceWith(part);
  }
  shown.querySelector("#labels").scrollTop = 0; // last, as it has the browser lay the card out
}

// Only a card that nobody has decided on has the mark: an earlier decision shows what was chosen. After an update
// of the site the same labels may be drawn otherwise.
function haveSameButtons(shown, next) {
  const isSame = Boolean(shown.dataset.labels) && shown.dataset.labels === next.dataset.labels;
  return isSame && partsOf(shown).length === partsOf(next).length;
}

function partsOf(card) {
  const list = card.querySelector("#labels");
  return [...card.querySelectorAll(PARTS), ...(list ? finder.inProjectOrder(list) : [])];
}

// Leave nothing of the decision that was made with these buttons.
function restore(shown, next) {
  const field = shown.querySelector("#label-search");
  if (field) finder.empty(field);
  const kept = shown.querySelector("#labels[data-finding]") ? NARROWED : WATCHED;
  for (const word of shown.querySelectorAll("#answer .suggested-word")) word.remove();
  const fresh = partsOf(next);
  partsOf(shown).forEach((part, i) => {
    // Of 500 buttons, most are as they should be.
    if (!part.isEqualNode(fresh[i])) copyAttributes(part, fresh[i], part.matches(".choice") ? kept : WATCHED);
    if (part.matches("input, output")) part.value = fresh[i].value;
  });
}

function copyAttributes(to, from, kept = WATCHED) {
  for (const name of to.getAttributeNames()) {
    if (!from.hasAttribute(name) && !kept.has(name)) to.removeAttribute(name);
  }
  for (const name of from.getAttributeNames()) {
    if (to.getAttribute(name) !== from.getAttribute(name)) to.setAttribute(name, from.getAttribute(name));
  }
}

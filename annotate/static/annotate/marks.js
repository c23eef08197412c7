// The words that decided, marked in the text where they stand. Whoever asks for them once has them on each card.

import * as storage from "./storage.js";

const REMEMBERED = "winnow/marks";

export function areWanted() {
  return storage.read(REMEMBERED) === "on";
}

// Turn what is shown off; true where there was something. What is not there yet is asked of the server.
export function turnOff(card) {
  const reasons = card.querySelector("#why");
  const wereShown = reasons.childElementCount > 0;
  storage.keep(REMEMBERED, wereShown ? "off" : "on");
  if (!wereShown) return false;
  reasons.replaceChildren();
  draw(card.querySelector("#document-text"), []);
  return true;
}

// Mark what speaks for the suggestion, and show the weightiest place of a long text that nobody has scrolled.
export function show(card) {
  const pane = card.querySelector("#document-text");
  const told = [...card.querySelectorAll("#why .ngram[data-start]")];
  const spans = told.map(({ dataset }) => ({ start: Number(dataset.start), end: Number(dataset.end) }));
  const weightiest = spans[0];
  draw(pane, spans.sort((a, b) => a.start - b.start), weightiest);
  const mark = pane.querySelector("mark[data-weightiest]");
  if (mark && pane.scrollTop === 0 && !("scrolled" in pane.dataset)) bringIntoSight(pane, mark);
}

function bringIntoSight(pane, mark) {
  const place = mark.getBoundingClientRect().top - pane.getBoundingClientRect().top;
  if (place > pane.clientHeight * 0.8) pane.scrollTop = place - pane.clientHeight / 3;
}

// NB: spans count code points, and a string of the browser counts UTF-16 units.
function draw(pane, spans, weightiest) {
  const position = pane.scrollTop;
  const letters = [...pane.textContent];
  const parts = [];
  let at = 0;
  for (const span of spans) {
    if (span.start < at) continue;
    parts.push(letters.slice(at, span.start).join(""));
    const mark = document.createElement("mark");
    mark.textContent = letters.slice(span.start, span.end).join("");
    mark.toggleAttribute("data-weightiest", span === weightiest);
    parts.push(mark);
    at = span.end;
  }
  pane.replaceChildren(...parts, letters.slice(at).join(""));
  pane.scrollTop = position;
}

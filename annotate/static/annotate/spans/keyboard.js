// Keys that move within the text. All others are clicks on buttons, as `keys.js` of the page says.

import { announce } from "../announcer.js";
import { opened, redraw } from "./choice.js";

const HORIZONTAL = { ArrowRight: 1, ArrowLeft: -1 };
const VERTICAL = { ArrowDown: 1, ArrowUp: -1 };

function isInText(event, card) {
  const { target } = event;
  return target === document.body || card.querySelector("#document-text").contains(target);
}

// Undo and redo as every program has them; "z" alone is a key of the page.
function history(event) {
  const key = event.key.toLowerCase();
  if (event.shiftKey && key === "z" && !event.altKey) return "#span-redo";
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return null;
  if (key === "z") return "#span-undo";
  return key === "y" ? "#span-redo" : null;
}

function move(event, card) {
  const { marking, places } = opened(card);
  const text = card.querySelector("#document-text");
  if (event.key in HORIZONTAL) {
    const isLeftwards = getComputedStyle(text.querySelector(".span-text")).direction === "rtl";
    const step = isLeftwards ? -HORIZONTAL[event.key] : HORIZONTAL[event.key];
    if (event.shiftKey) marking.extend(step);
    else marking.move(step);
    return true;
  }
  if (event.key in VERTICAL) return moveByLine(VERTICAL[event.key], event.shiftKey, { marking, places, text });
  if (event.key === "Home" || event.key === "End") {
    marking.moveTo(event.key === "Home" ? 0 : -1);
    return true;
  }
  if (event.key === "Tab") return marking.step(event.shiftKey ? -1 : 1);
  if (event.key === "Escape" && marking.selection && !card.dataset.annotation) {
    marking.select(null);
    return true;
  }
  return false;
}

// To what stands above or below; where the text ends there, the pane scrolls as any other.
function moveByLine(step, isExtending, { marking, places, text }) {
  if (!marking.selection) {
    marking.move(1);
    return true;
  }
  const { start, end } = marking.selection;
  const rects = places.range(step > 0 ? { start: end - 1, end } : { start, end: start + 1 }).getClientRects();
  const rect = rects[0];
  if (!rect) return false;
  const line = Number.parseFloat(getComputedStyle(text).lineHeight);
  const point = places.under(rect.left + rect.width / 2, rect.top + rect.height / 2 + step * line);
  if (point === null || (step > 0 ? point <= end : point >= start)) return false;
  if (isExtending) marking.extendTo(point);
  else marking.selectAt(point);
  return true;
}

// Tell a screen reader what is selected, with its label where it has one.
export function speak(card) {
  const { marking, places } = opened(card);
  if (!marking.selection) return;
  const button = card.querySelector("#spans [aria-current]");
  announce(button ? button.textContent : places.slice(marking.selection));
}

// Take a key that moves; true where it did. `admits` is the gate, which lets a held key repeat here.
export function pressed(event, card, admits) {
  const wanted = event.target.matches?.("input, textarea, select") ? null : history(event);
  if (wanted) {
    event.preventDefault();
    if (admits(event)) card.querySelector(wanted).click();
    return true;
  }
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return false;
  if (document.querySelector("dialog[open]") || !isInText(event, card)) return false;
  if (!admits(event) || !move(event, card)) return false;
  event.preventDefault();
  redraw(card);
  speak(card);
  return true;
}

// The mouse selects words, or with Alt exactly what it went over; a finger that rests selects a word and then drags.

import { opened, redraw } from "./choice.js";
import { speak } from "./keyboard.js";

const REST_MS = 350; // so long a finger rests before it selects
const SLIP = 10; // pixels: further is a swipe or a scroll

let pressedIn = null; // the text in which the mouse went down
let touch = null; // the finger on the text: where it began, and whether it selects

const textUnder = (event) => event.target.closest?.('[data-choices="spans"] #document-text');
const cardOf = (text) => text.closest('[data-choices="spans"]');

function finished(card) {
  redraw(card);
  speak(card);
}

function released(event) {
  const text = pressedIn;
  pressedIn = null;
  if (!text?.isConnected || event.pointerType === "touch") return;
  const card = cardOf(text);
  const { marking, places } = opened(card);
  const selected = places.selected(getSelection());
  const place = selected && (event.altKey ? places.trimmed(selected) : places.snapped(selected));
  getSelection().removeAllRanges();
  if (place) {
    marking.select(place);
  } else {
    const point = places.under(event.clientX, event.clientY);
    if (point === null) return;
    marking.selectAt(point);
  }
  finished(card);
}

// ---- touch ----

function touched(event) {
  clearTimeout(touch?.timer);
  touch = null;
  const text = textUnder(event);
  if (!text || event.touches.length !== 1) return;
  const [{ clientX: x, clientY: y }] = event.touches;
  touch = { text, x, y, isSelecting: false, timer: setTimeout(() => rested(), REST_MS) };
}

function rested() {
  const { marking, places } = opened(cardOf(touch.text));
  const point = places.under(touch.x, touch.y);
  if (point === null) return;
  touch.isSelecting = true;
  marking.select(places.stops[Math.min(places.stopAt(point), places.stops.length - 1)] ?? null);
  redraw(cardOf(touch.text));
  navigator.vibrate?.(10);
}

function dragged(event) {
  if (!touch) return;
  const [{ clientX: x, clientY: y }] = event.touches;
  if (!touch.isSelecting) {
    if (Math.hypot(x - touch.x, y - touch.y) > SLIP) {
      clearTimeout(touch.timer);
      touch = null;
    }
    return;
  }
  event.preventDefault(); // the text would scroll
  const { marking, places } = opened(cardOf(touch.text));
  const point = places.under(x, y);
  if (point === null) return;
  marking.extendTo(point);
  redraw(cardOf(touch.text));
}

function lifted(event) {
  if (!touch) return;
  clearTimeout(touch.timer);
  const { text, x, y, isSelecting } = touch;
  touch = null;
  if (isSelecting) event.preventDefault(); // or the browser would click
  const { marking, places } = opened(cardOf(text));
  if (!isSelecting) {
    const point = places.under(x, y);
    if (point === null) return;
    marking.selectAt(point);
  }
  finished(cardOf(text));
}

// `admits` is the gate: what began before the text was painted is not about that text.
export function bindPointer(admits) {
  document.addEventListener("pointerdown", (event) => {
    const isMouse = event.pointerType !== "touch" && event.button === 0;
    pressedIn = isMouse && admits(event) ? textUnder(event) : null;
  });
  document.addEventListener("pointerup", released);
  document.addEventListener("touchstart", (event) => admits(event) && touched(event), { passive: true });
  document.addEventListener("touchmove", dragged, { passive: false });
  document.addEventListener("touchend", lifted, { passive: false });
  document.addEventListener("touchcancel", () => {
    clearTimeout(touch?.timer);
    touch = null;
  });
  document.addEventListener("contextmenu", (event) => touch?.isSelecting && event.preventDefault());
}

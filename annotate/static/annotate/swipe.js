// On a touch screen a swipe over the text chooses one of two to four labels, as their arrows say.

import * as storage from "./storage.js";

const REMEMBERED = "winnow/swipe";
const DIRECTIONS = ["right", "left", "up", "down"];
const FAR = 60; // pixels: less is a tap that slipped
const STRAIGHT = 1.8; // times as far along as across: what is slanted means nothing
const QUICK = 900; // milliseconds: who rests on the text reads or selects
const EDGE = 24; // pixels at the sides of the screen: there a swipe is the browser's "back"

const button = document.querySelector("#swipe");
const isTouch = matchMedia("(pointer: coarse)");
let start = null; // the touch that may become a swipe

const card = () => document.querySelector("#card");
const isOn = () => isTouch.matches && storage.read(REMEMBERED) !== "off";

function labels() {
  const found = card().dataset.choices === "submit" ? [...card().querySelectorAll(".choice")] : [];
  return found.length >= 2 && found.length <= DIRECTIONS.length ? found : [];
}

// A text that scrolls keeps up and down for itself, and so does a page that does.
function scrolls() {
  const page = document.documentElement;
  const text = card().querySelector("#document-text");
  return text.scrollHeight > text.clientHeight + 1 || page.scrollHeight > page.clientHeight + 1;
}

// Give each label that a swipe reaches now its arrow.
function mark() {
  if (!isTouch.matches) return;
  const reached = labels();
  button.hidden = reached.length === 0;
  button.setAttribute("aria-pressed", String(isOn()));
  if (!reached.length) return;
  const usable = isOn() ? DIRECTIONS.slice(0, scrolls() ? 2 : reached.length) : [];
  reached.forEach((label, i) => {
    if (usable[i]) label.dataset.swipe = usable[i];
    else delete label.dataset.swipe;
  });
  const pane = card().querySelector(".text-pane");
  pane.dataset.swipes = usable.length > 2 ? "every-way" : usable.length ? "sideways" : "";
}

function began(event) {
  const [touch] = event.touches;
  const isSingle = event.touches.length === 1 && event.target.closest?.("#card .text-pane");
  const isInside = touch.clientX > EDGE && touch.clientX < innerWidth - EDGE;
  start = null;
  if (!isSingle || !isInside || !isOn()) return;
  const top = card().querySelector("#document-text").scrollTop;
  start = { event, top, x: touch.clientX, y: touch.clientY, card: card().dataset.card };
}

function direction(touch) {
  const [x, y] = [touch.clientX - start.x, touch.clientY - start.y];
  if (Math.max(Math.abs(x), Math.abs(y)) < FAR) return null;
  if (Math.abs(x) > STRAIGHT * Math.abs(y)) return x > 0 ? "right" : "left";
  if (Math.abs(y) > STRAIGHT * Math.abs(x)) return y > 0 ? "down" : "up";
  return null;
}

function ended(event, admits) {
  if (!start) return;
  const way = direction(event.changedTouches[0]);
  const isQuick = event.timeStamp - start.event.timeStamp < QUICK;
  const isSameCard = start.card === card().dataset.card;
  const hasScrolled = card().querySelector("#document-text")?.scrollTop !== start.top;
  const isSelecting = !getSelection().isCollapsed;
  const label = way && card().querySelector(`.choice[data-swipe="${way}"]`);
  if (label && isQuick && isSameCard && !hasScrolled && !isSelecting && admits(start.event)) label.click();
  start = null;
}

// `admits` is the gate: a touch that began before the text was painted is not about that text.
export function bindSwipe(admits) {
  document.addEventListener("touchstart", began, { passive: true });
  document.addEventListener("touchend", (event) => ended(event, admits), { passive: true });
  document.addEventListener("touchcancel", () => (start = null), { passive: true });
  button.addEventListener("click", () => {
    storage.keep(REMEMBERED, isOn() ? "off" : "on");
    mark();
  });
  new MutationObserver(mark).observe(document.querySelector("#bench"), { childList: true, subtree: true });
  addEventListener("resize", mark);
  mark();
}

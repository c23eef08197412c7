// The search field above many labels: it filters the buttons, and Enter presses the best one.

import { rank, WITH_DIGIT } from "./search.js";

let inOrder = []; // the buttons as the project orders them
let whole = []; // these with the headings of their groups
let listed = null;

function remember(list) {
  if (listed === list) return;
  listed = list;
  inOrder = [...list.querySelectorAll(".choice")];
  whole = [...list.children];
}

function say(count, first) {
  const output = document.querySelector("#label-search-result");
  const found = document.querySelector(".choice[data-place]") ? output.dataset.digits : output.dataset.some;
  const sentence = count ? found : output.dataset.none;
  output.value = sentence.replace("{n}", String(count)).replace("{first}", first ?? "");
}

export function filter(field) {
  const list = document.querySelector("#labels");
  remember(list);
  const names = inOrder.map((button) => button.querySelector(".choice-name").textContent);
  const found = rank(field.value, names).map((index) => inOrder[index]);
  const shown = new Set(found);
  for (const button of inOrder) {
    button.hidden = !shown.has(button);
    button.classList.remove("best");
    button.removeAttribute("data-place");
  }
  const nothing = list.querySelector(".no-match");
  nothing.hidden = found.length > 0;
  // Matches stand together, the best first, so that no heading is true of them.
  const matches = [...found, ...inOrder.filter((button) => button.hidden), nothing];
  list.replaceChildren(...(field.value ? matches : whole));
  list.toggleAttribute("data-finding", Boolean(field.value));
  if (field.value) number(found.slice(0, WITH_DIGIT), field.value, names);
  if (field.value && found[0]) found[0].classList.add("best");
  if (field.value) say(found.length, found[0]?.querySelector(".choice-name").textContent);
}

// A digit takes a match, except where a name goes on with that digit: there it is typed as any letter.
function number(buttons, typed, names) {
  buttons.forEach((button, at) => {
    const digit = String(at + 1);
    if (!rank(typed + digit, names).length) button.dataset.place = digit;
  });
}

export function clear(field) {
  if (!field.value) return; // the labels stand in order
  field.value = "";
  filter(field);
}

// Empty the field and leave the list narrowed: to lay hundreds of labels out takes longer than a frame.
export function empty(field) {
  field.value = "";
}

// Show all labels again where the field was emptied; tell whether there was something to do.
export function settle() {
  const field = document.querySelector("#label-search");
  const isNarrowed = Boolean(field && !field.value && document.querySelector("#labels[data-finding]"));
  if (isNarrowed) filter(field);
  return isNarrowed;
}

// What stands in the list, in the project's order, also while it is narrowed.
export function inProjectOrder(list) {
  return list === listed && "finding" in list.dataset ? whole : [...list.children];
}

function move(list, step) {
  const shown = [...list.querySelectorAll(".choice:not([hidden])")];
  const now = shown.findIndex((button) => button.classList.contains("best"));
  const next = shown[Math.min(Math.max(now + step, 0), shown.length - 1)];
  shown[now]?.classList.remove("best");
  next?.classList.add("best");
  next?.scrollIntoView({ block: "nearest" });
}

function placed(event, list) {
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
  if (!digit || event.shiftKey || event.ctrlKey || event.altKey || event.metaKey) return null;
  return list.querySelector(`.choice[data-place="${digit[1]}"]`);
}

// Return the button that Enter or a digit in the field presses, or null; other keys move within the matches.
export function pressed(event, field) {
  const list = document.querySelector("#labels");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    move(list, event.key === "ArrowDown" ? 1 : -1);
  }
  const byDigit = placed(event, list);
  if (byDigit) event.preventDefault();
  if (event.key !== "Enter") return byDigit;
  event.preventDefault(); // the field's form would send its first button
  return field.value ? list.querySelector(".choice.best") : null;
}

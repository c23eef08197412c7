// The page of one document whose text people mark: a lead marks it with the tools of the card, and takes what others
// marked. `keys.js` gives the labels and the tools their keys; those that move work while the text has the focus.

import { meaning } from "../keys.js";
import * as choice from "./choice.js";
import { pressed } from "./keyboard.js";
import { bindPointer } from "./pointer.js";

const desk = document.querySelector('[data-choices="spans"]');
const text = desk.querySelector("#document-text");
const form = desk.querySelector("#desk-tools")?.closest("form"); // none in a project without labels
const none = desk.querySelector("#none");
const marking = () => choice.opened(desk).marking;
let isSent = false;

function takerOf(event) {
  const isTyped = event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, textarea, select");
  return isTyped ? null : desk.querySelector(`[data-take-key="${CSS.escape(event.key.toLowerCase())}"]`);
}

function typed(event) {
  if (event.defaultPrevented || event.repeat && !text.contains(event.target)) return;
  if (pressed(event, desk, () => text.contains(event.target))) return event.stopPropagation();
  const target = event.repeat ? null : meaning(event, desk) ?? takerOf(event);
  if (!target) return;
  event.preventDefault();
  event.stopPropagation(); // the page has keys of its own for other projects' labels
  target.click();
}

function clicked(event) {
  const button = event.target.closest(".choice, .span-tools button, #spans button, .take");
  if (!button) return;
  if (button.matches(".choice")) choice.toggle(desk, button);
  else if (button.matches(".take")) choice.takeAllOf(desk, Number(button.dataset.take));
  else choice.press(desk, button);
  const isEmpty = choice.isEmpty(desk);
  if (button.matches(".take")) none.checked = isEmpty;
  else if (!isEmpty) none.checked = false;
}

function hidden(name, value) {
  const input = document.createElement("input");
  Object.assign(input, { type: "hidden", name, value });
  return input;
}

// "Nothing here" is never said over a mark, and an answer never empty by leaving something out.
function sending(event) {
  const answer = choice.answerFields(desk, none.checked ? none : null);
  if (!answer) {
    event.preventDefault();
    choice.askForChoice(desk);
    return;
  }
  form.querySelectorAll("input[name=labels][type=hidden]").forEach((input) => input.remove());
  for (const [name, value] of answer) {
    if (name === "spans") form.elements.spans.value = value;
    else form.append(hidden(name, value));
  }
  isSent = true;
}

if (form) {
  desk.querySelector("#desk-tools").hidden = false;
  none.disabled = false;
  choice.preselect(desk);
  choice.remember(desk);
  choice.markChosen(desk);
  document.addEventListener("keydown", typed);
  form.addEventListener("click", clicked);
  form.addEventListener("mousedown", (event) => {
    if (event.target.closest(".choice, .span-tools, #spans button, .take")) event.preventDefault();
  });
  form.addEventListener("submit", sending);
  bindPointer(() => true);
  addEventListener("beforeunload", (event) => {
    if (!isSent && !choice.isAsItBegan(desk)) event.preventDefault();
  });
}

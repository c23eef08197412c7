// Keys are clicks on real buttons: this file only says which button a key means.

// Which key presses which element; annotate/hotkeys.py says so, and keeps these keys from labels.
const COMMANDS = JSON.parse(document.querySelector("[data-commands]").dataset.commands);
const FIELDS = "input, textarea, select, [contenteditable]";
const OWN_KEYS = "button, a, summary, input, textarea, select, dialog"; // they use Enter and Space themselves

// Where these stand on a layout of Latin letters, without Shift and with it.
const MARKS = {
  Slash: ["/", "?"],
  Period: [".", ""],
  Comma: [",", ""],
  BracketLeft: ["[", "{"],
  BracketRight: ["]", "}"],
};

// On a layout without Latin letters or with digits under Shift the place of the key counts.
function byPlace({ code, shiftKey }) {
  if (MARKS[code]) return MARKS[code][Number(shiftKey)];
  const match = /^(?:Key|Digit|Numpad)([A-Z0-9])$/.exec(code);
  return match && !shiftKey ? match[1].toLowerCase() : "";
}

// A Russian or Hebrew layout has "." and "," on the key that is "/" and "?" elsewhere: there the place counts.
function byName({ key, code }) {
  return code === "Slash" && ".,".includes(key) ? "" : key.toLowerCase();
}

// A label's own key comes before those of the likeliest labels, which mean nothing while they are hidden.
function labelButton(card, key) {
  if (key.length !== 1) return null;
  const has = `[data-hotkey="${CSS.escape(key)}"]`;
  return card.querySelector(`.choice${has}`) ?? card.querySelector(`#suggestion:not([hidden]) .likely${has}`);
}

function enter(card) {
  const kept = card.querySelector("[data-kept-choice]");
  if (kept) return kept;
  // Where one label is the decision nothing can be chosen and not yet sent: an earlier decision stays.
  if (card.dataset.annotation && !card.querySelector("#save")) return card.querySelector("#forward");
  return card.querySelector("#save") ?? card.querySelector("#suggestion:not([hidden]) #accept");
}

// Return the element that the key means on this card, or null.
export function meaning(event, card) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return null;
  if (document.querySelector("dialog[open]") || event.target.closest?.(FIELDS)) return null;
  const key = byName(event);
  const native = event.target.closest?.(OWN_KEYS);
  if (key === "enter") return native ? null : enter(card);
  if (key === " " && native) return null;
  if (key === " " && !event.shiftKey && card.dataset.annotation) return card.querySelector("#forward");
  const place = byPlace(event);
  return (
    labelButton(card, key) ??
    (COMMANDS[key] ? document.querySelector(COMMANDS[key]) : null) ??
    labelButton(card, place) ??
    (COMMANDS[place] ? document.querySelector(COMMANDS[place]) : null)
  );
}

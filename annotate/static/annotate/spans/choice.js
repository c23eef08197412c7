// The answer of a card on which people mark pieces of the text: the same questions as `choice.js` answers where labels
// belong to the whole text. Where a project has labels of both kinds, those of the whole text are switches beside.

import { chosenLabels } from "../choice.js";
import { TextPlaces } from "./codepoints.js";
import * as dictionary from "./dictionary.js";
import { Drawing } from "./draw.js";
import { Marking } from "./model.js";

const markings = new WeakMap(); // by the element of the text, so that a card that was left is as it was
let drawing = null;
let shown = null; // the element of the text that is drawn

const textOf = (card) => card.querySelector("#document-text");

export const opened = (card) => markings.get(textOf(card));
const asSpans = (json) =>
  JSON.parse(json || "[]").map(([start, end, label, percent, by, keys]) => ({ start, end, label, percent, by, keys }));

function labelsOf(card) {
  const buttons = [...card.querySelectorAll("#labels .choice")];
  return new Map(
    buttons.map((button) => [
      Number(button.value),
      { name: button.querySelector(".choice-name").textContent, hue: button.dataset.hue },
    ]),
  );
}

// Begin with a card, or go on with one that was left.
export function preselect(card) {
  const text = textOf(card);
  const suggestion = card.querySelector("#suggestion");
  if (!markings.has(text)) {
    const body = text.querySelector(".span-text");
    body.normalize(); // a browser reads a long text as several nodes
    const places = new TextPlaces(body.firstChild, text.dataset.unit);
    const labels = labelsOf(card);
    const known = (span) => labels.has(span.label); // one may be archived meanwhile
    const spans = asSpans(text.dataset.spans).filter(known);
    const suggestions = card.dataset.annotation ? [] : asSpans(suggestion?.dataset.spans).filter(known);
    const marking = new Marking({
      places, spans, suggestions,
      overlaps: "overlaps" in text.dataset,
      suggestionsStay: Boolean(suggestion && "stays" in suggestion.dataset),
    });
    markings.set(text, { marking, places, suggestions });
  }
  if (shown !== text) {
    drawing?.clear();
    shown = text;
    const { places, suggestions } = opened(card);
    const list = card.querySelector("#spans");
    drawing = new Drawing({ pane: text, places, labels: labelsOf(card), list, suggestions });
    redraw(card);
    openWhere(card);
  } else {
    redraw(card, { follows: false }); // a late suggestion does not move what somebody reads
  }
}

// A long text opens where there is something to look at first.
function openWhere(card) {
  const { marking } = opened(card);
  const [first] = isSuggestionShown(card) ? marking.all : marking.spans;
  if (first && textOf(card).scrollHeight > textOf(card).clientHeight) {
    marking.select(first, first);
    redraw(card);
  }
}

export function isSuggestionShown(card) {
  const suggestion = card.querySelector("#suggestion");
  return Boolean(suggestion && !suggestion.hidden);
}

// Draw what is marked now; the text follows what is selected, unless `follows` says that it stays where it is.
export function redraw(card, { follows = true } = {}) {
  const { marking } = opened(card);
  drawing.show(marking, isSuggestionShown(card), follows);
  const is = (id, isOn) => (card.querySelector(id).disabled = !isOn);
  const isSuggestion = marking.isSuggestion(marking.active);
  is("#span-accept", isSuggestion);
  is("#span-delete", Boolean(marking.active));
  is("#span-everywhere", Boolean(marking.active) && !isSuggestion);
  is("#span-undo", marking.canUndo);
  is("#span-redo", marking.canRedo);
  for (const edge of card.querySelectorAll(".span-edges button")) edge.disabled = !marking.selection;
  const accept = card.querySelector("#accept");
  if (accept) accept.disabled = !marking.suggestions.length && !missingLabels(card).length;
}

// What was marked when the card was shown is part of the marking; the switches are told by their labels.
export function remember(card) {
  card.dataset.began = chosenLabels(card).join(" ");
}

export function isAsItBegan(card) {
  const reason = card.querySelector("#reason");
  const isSame = chosenLabels(card).join(" ") === (card.dataset.began ?? "") && opened(card).marking.isAsItBegan;
  return isSame && reason?.value === reason?.defaultValue;
}

// The labels of the whole text and how many spans there are, beside the button that saves.
export function markChosen(card) {
  const output = card.querySelector("#chosen");
  const { length } = opened(card).marking.spans;
  const chosen = [...card.querySelectorAll('.choice[aria-pressed="true"] .choice-name')];
  const told = chosen.map((name) => name.textContent);
  if (length) told.push(output.dataset.count.replace("{n}", String(length)));
  output.value = told.join(" · ") || output.dataset.nothing;
}

export const isEmpty = (card) => !opened(card).marking.spans.length && !chosenLabels(card).length;

// The fields of the answer as it stands; null where there is none yet.
export function answerFields(card, submitter) {
  const { spans } = opened(card).marking;
  const isNone = submitter?.id === "none";
  if (isNone !== isEmpty(card)) return null;
  const labels = chosenLabels(card).map((label) => ["labels", label]);
  return [...labels, ["spans", JSON.stringify(spans.map(({ start, end, label }) => [start, end, label]))]];
}

// An answer is never empty by leaving something out, and never lost by a key: say which key means it.
export function askForChoice(card) {
  const output = card.querySelector("#chosen");
  output.value = isEmpty(card) ? output.dataset.hint : output.dataset.marked;
}

// Show what is suggested where it had to wait for the answer; true where it differs, once.
export function askAfter(card) {
  const suggestion = card.querySelector("#suggestion[data-after]");
  if (!suggestion?.hidden) return false;
  const { marking } = opened(card);
  suggestion.hidden = false;
  for (const field of card.querySelectorAll("[name=revealed]")) field.value = "1";
  marking.suggest(marking.suggestions);
  if (!marking.suggestions.length && !missingLabels(card).length) return false;
  suggestion.querySelector(".after-hint").hidden = false;
  redraw(card, { follows: false });
  return true;
}

export function tell(card, sentence) {
  card.querySelector("#chosen").value = sentence;
}

// The switches of labels that are suggested for the whole text, and not on.
function missingLabels(card) {
  const suggested = card.querySelector("#suggestion")?.dataset.labels?.split(" ") ?? [];
  return [...card.querySelectorAll('.choice[aria-pressed="false"]')].filter(({ value }) => suggested.includes(value));
}

// A label's button gives what is selected that label; one of the whole text is switched on or off.
export function toggle(card, button) {
  if (button.hasAttribute("aria-pressed")) {
    button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
    markChosen(card);
    return;
  }
  const { marking } = opened(card);
  const { dataset } = card.querySelector("#chosen");
  const gaveWay = marking.mark(Number(button.value));
  redraw(card);
  markChosen(card);
  if (gaveWay === null) tell(card, dataset.select);
  else if (gaveWay) tell(card, dataset.replaced.replace("{n}", String(gaveWay)));
}

// Accept all that is suggested.
export function takeOver(card) {
  const { marking } = opened(card);
  for (const button of missingLabels(card)) button.setAttribute("aria-pressed", "true");
  marking.accept(marking.suggestions);
  redraw(card);
  markChosen(card);
  return true;
}

// Mark all that one person, or the model, has marked, and nothing else.
export function takeAllOf(card, key) {
  const { marking, suggestions } = opened(card);
  marking.replace(suggestions.filter((one) => one.keys.includes(key)));
  redraw(card);
  markChosen(card);
}

const ACTIONS = {
  "span-accept": (marking) => marking.isSuggestion(marking.active) && marking.accept([marking.active]),
  "span-delete": (marking) => marking.remove(),
  "span-undo": (marking) => marking.undo(),
  "span-redo": (marking) => marking.redo(),
  "span-start-out": (marking) => marking.resize("start", -1) || "edge",
  "span-start-in": (marking) => marking.resize("start", 1) || "edge",
  "span-end-out": (marking) => marking.resize("end", 1) || "edge",
  "span-end-in": (marking) => marking.resize("end", -1) || "edge",
};

// A button of the tools, or of the list; false for any other.
export function press(card, button) {
  const { marking } = opened(card);
  const { dataset } = card.querySelector("#chosen");
  let sentence = "";
  if (button.matches(".span-item")) {
    const one = drawing.ofButton(button);
    marking.select(one, one);
  } else if (button.id === "span-everywhere") {
    const number = marking.everywhere();
    sentence = number === null ? "" : dataset.everywhere.replace("{n}", String(number));
  } else if (button.id === "span-dictionary") {
    const labels = labelsOf(card);
    const number = marking.add(dictionary.found(opened(card).places).filter(({ label }) => labels.has(label)));
    sentence = number ? dataset.dictionary.replace("{n}", String(number)) : dataset.noWords;
  } else if (ACTIONS[button.id]) {
    if (ACTIONS[button.id](marking) === "edge") sentence = dataset.edge;
  } else {
    return false;
  }
  redraw(card);
  markChosen(card);
  if (sentence) tell(card, sentence);
  return true;
}

// The labelling page: a decision goes into the outbox, and the next card that is held comes on the screen.

import { forgetLabel } from "./about.js";
import { announce } from "./announcer.js";
import { Deck } from "./deck.js";
import * as finder from "./finder.js";
import { Gate } from "./gate.js";
import { meaning } from "./keys.js";
import * as marks from "./marks.js";
import { csrfToken, Outbox } from "./outbox.js";
import { bindPanels } from "./panels.js";
import * as labelChoice from "./choice.js";
import { showWhenRead } from "./pacing.js";
import * as spanChoice from "./spans/choice.js";
import * as spanKeys from "./spans/keyboard.js";
import { bindPointer } from "./spans/pointer.js";
import { Stopwatch } from "./stopwatch.js";
import { swap } from "./swap.js";
import { bindSwipe } from "./swipe.js";

const CARDS_AHEAD = 2; // annotate/services/labeling/ahead.py says so too

const bench = document.querySelector("#bench");
const notice = document.querySelector("#outbox");
const gate = new Gate();
const watch = new Stopwatch();
const deck = new Deck(bench.dataset.labels);
const outbox = new Outbox({
  ...bench.dataset,
  url: bench.dataset.url,
  onAnswer: taken,
  onChange: report,
  beside: (decided) => deck.fields(reserved, decided),
});
const tabs = new BroadcastChannel(`winnow/decided/${bench.dataset.owner}/${bench.dataset.project}`);

let isAwaiting = false; // whether the screen waits for a card
let isFilling = false;
let reserved = ""; // the card that waits for this page's decision, also while an earlier one is shown

const card = () => document.querySelector("#card");
const marksText = () => card().dataset.choices === "spans";
const choice = () => (marksText() ? spanChoice : labelChoice);

// Show another card: the swap comes first, so that the next frame has it.
function show(next) {
  isAwaiting = false;
  const wasInside = !document.activeElement || document.activeElement === document.body
    || card().contains(document.activeElement);
  swap(card(), next);
  began(wasInside);
}

function began(takesFocus) {
  forgetLabel();
  if (card().dataset.card && !card().dataset.annotation) reserved = card().dataset.card;
  tellPulse();
  choice().preselect(card());
  choice().remember(card());
  const text = card().querySelector("#document-text");
  if (takesFocus) (text ?? card()).focus({ preventScroll: true });
  choice().markChosen(card());
  gate.openAfterPaint(() => {
    if (finder.settle()) choice().markChosen(card()); // in the project's order again
    watch.start();
    htmx.process(card());
    announce((text ?? card()).textContent);
    card().dataset.ready = "";
    showWhenRead(card(), watch, suggested);
    explain();
  });
}

// A suggestion that had to wait has appeared.
function suggested() {
  const isUntouched = choice().isAsItBegan(card());
  choice().preselect(card());
  if (isUntouched) choice().remember(card());
  choice().markChosen(card());
  explain();
}

function explain() {
  const link = card().querySelector("#suggestion:not([hidden]) #open-why");
  if (link && marks.areWanted()) htmx.ajax("GET", link.href, { source: link, target: "#why" });
}

// The pulse keeps the leases of what this page holds.
function tellPulse() {
  document.querySelector("#held-shown").value = reserved;
  document.querySelector("#held-ahead").value = deck.keys.filter((key) => key !== reserved).join(" ");
}

// The server has a decision, or was asked for cards: it says what comes next.
function taken(text) {
  const known = [...outbox.cards, reserved];
  const { sentence, empty } = deck.takeOver(text, known);
  if (sentence) tell(sentence);
  const next = isAwaiting ? deck.take() ?? empty : null;
  if (next) show(next);
  tellPulse();
  htmx.trigger("#progress", "decided");
}

// Ask for the cards that this page should hold. Decisions that wait ask by themselves.
async function fill() {
  if (outbox.size) return outbox.flush();
  if (isFilling || !navigator.onLine) return;
  isFilling = true;
  try {
    const body = new URLSearchParams(deck.fields(reserved));
    const headers = { "HX-Request": "true", "X-CSRFToken": csrfToken() };
    const response = await fetch(bench.dataset.ahead, { method: "POST", body, headers, redirect: "manual" });
    if (response.ok) taken(await response.text());
    else if (isAwaiting) location.assign(bench.dataset.url); // the session has ended, or the server explains itself
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // the network is gone; the pulse asks again
  } finally {
    isFilling = false;
  }
}

// Cards that were decided on another page, or that the server has something better for.
function letGo(keys, { isMine = true } = {}) {
  deck.drop(keys.filter((key) => key !== reserved), { isMine });
  if (keys.includes(reserved)) leaveDecided();
  if (deck.keys.length < CARDS_AHEAD && !("empty" in card().dataset)) fill();
}

function leaveDecided() {
  if (reserved !== card().dataset.card) {
    deck.drop([reserved], { isMine: false });
    reserved = "";
  } else if (choice().isAsItBegan(card())) {
    reserved = "";
    tell(bench.dataset.elsewhere);
    proceed();
  }
}

// Show the next card, at once where one is held.
function proceed() {
  const next = deck.take();
  if (next) return show(next);
  gate.close();
  delete card().dataset.ready;
  isAwaiting = true;
  card().setAttribute("aria-busy", "true");
}

// What became of a decision that was refused while others followed: it stays until somebody has read it.
function tell(sentence) {
  const line = document.createElement("li");
  line.textContent = sentence;
  document.querySelector("#refusals ul").append(line);
  document.querySelector("#refusals").hidden = false;
}

function report({ size, problem }) {
  bench.dataset.unsent = String(size);
  const isWaiting = size > 0 || !navigator.onLine;
  notice.hidden = !isWaiting;
  document.querySelector("#outbox-login").hidden = problem !== "login";
  document.querySelector("#outbox-waiting").hidden = size === 0;
  // Another page of this browser has sent what was decided here, and got the answer.
  if (isAwaiting && size === 0 && navigator.onLine) fill();
  if (!isWaiting) return;
  let kind = problem === "network" || !problem ? "one" : problem;
  if (kind === "one" && size > 1) kind = "many";
  if (size === 0) kind = "none";
  document.querySelector("#outbox-text").textContent = notice.dataset[kind].replace("{n}", String(size));
}

function decide(form, submitter) {
  const fields = new FormData(form, submitter);
  fields.delete("csrfmiddlewaretoken");
  fields.set("seconds", watch.seconds().toFixed(2));
  if (card().dataset.choices !== "submit" && form.id === "answer") {
    if (submitter?.id !== "none" && isLeftAlone()) return goForward();
    const answer = choice().answerFields(card(), submitter);
    if (!answer) return choice().askForChoice(card());
    for (const field of answer) fields.append(...field);
  }
  if (form.id === "answer" && choice().askAfter(card(), fields.getAll("labels"), submitter)) return;
  outbox.add([...fields]);
  bench.dataset.unsent = String(outbox.size);
  tabs.postMessage(fields.get("card"));
  if (fields.get("card") === reserved) reserved = "";
  proceed();
  outbox.flush();
}

// Whether an earlier decision is shown that was not changed: to save it is to go on.
function isLeftAlone() {
  return Boolean(card().dataset.annotation) && choice().isAsItBegan(card());
}

// Give the cards back when the page closes. A page that the browser keeps aside may be shown again, so it keeps
// its cards, and so does a card whose decision is on its way.
function giveBack(event) {
  const held = [...new Set([reserved, ...deck.keys])].filter(Boolean);
  if (event.persisted || !held.length) return;
  const fields = new FormData();
  fields.set("card", held.join(" "));
  fields.set("csrfmiddlewaretoken", csrfToken());
  navigator.sendBeacon(bench.dataset.release, fields);
}

// Go back to an earlier decision; the card that waits is put in front of those that are held.
async function goBack(link) {
  gate.close();
  await outbox.flush();
  try {
    if (outbox.size) throw new TypeError("decisions are waiting");
    const response = await fetch(link.href, { headers: { "HX-Request": "true" }, redirect: "manual" });
    if (!response.ok) return location.assign(link.href); // the session has ended, or the server explains itself
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const earlier = document.adoptNode(page.querySelector("#card"));
    const left = card();
    delete left.dataset.ready;
    if (earlier.dataset.annotation && left.dataset.card === reserved) deck.putBack(left);
    show(earlier); // or the same card again, with the sentence that there is none before it
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    report({ size: outbox.size, problem: outbox.problem });
    if (!outbox.size) gate.openAfterPaint(() => {});
  }
}

// Leave an earlier decision as it is.
function goForward() {
  proceed();
  if (isAwaiting) fill();
}

function clicked(event) {
  const earlier = event.target.closest("#history-list a");
  if (earlier && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    goBack(earlier);
    return;
  }
  const pressed = event.target.closest("#card button, #card a");
  if (!pressed) return;
  // Where no card is left, nothing is decided by a click, so that only the second half of a double click is none.
  const isRefused = "empty" in card().dataset ? event.detail > 1 : !gate.admitsClick(event);
  if (isRefused) {
    event.preventDefault();
    event.stopImmediatePropagation();
  } else if (pressed.matches("#back")) {
    event.preventDefault();
    goBack(pressed);
  } else if (pressed.matches("#forward")) {
    event.preventDefault();
    goForward();
  } else if (pressed.matches(".choice[type=button], .likely[type=button]")) {
    choice().toggle(card(), pressed);
  } else if (marksText() && pressed.closest(".span-tools, #spans")) {
    spanChoice.press(card(), pressed);
  } else if (pressed.matches("#open-why")) {
    if (!marks.turnOff(card())) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  } else if (pressed.matches("#accept[type=button]")) {
    if (!choice().takeOver(card())) choice().askForChoice(card());
  }
}

// Whoever has scrolled reads: nothing moves the text from then on.
function scrolled(event) {
  const text = event.target.closest?.("#document-text");
  if (text) text.dataset.scrolled = "";
}

function inField(event) {
  if (event.key === "Escape") {
    if (event.target.id === "label-search") finder.clear(event.target);
    card().querySelector("#document-text")?.focus();
  } else if (event.target.id === "label-search") {
    const found = finder.pressed(event, event.target);
    if (!found || !gate.admitsKey(event)) return;
    found.click();
    finder.clear(event.target);
    card().querySelector("#document-text")?.focus({ preventScroll: true }); // the next key is no letter of a name
    choice().markChosen(card()); // in the project's order again
  } else if (event.target.id === "reason" && event.key === "Enter") {
    event.preventDefault();
    if (gate.admitsKey(event)) document.querySelector(event.target.dataset.then ?? "#skip").click();
  }
}

function pressedKey(event) {
  if (event.defaultPrevented) return;
  if (event.target.matches?.("#label-search, #reason")) return inField(event);
  if (marksText() && spanKeys.pressed(event, card(), (moved) => gate.admitsMove(moved))) return;
  const target = meaning(event, card());
  if (!target) return;
  event.preventDefault();
  if (target.closest("#card") && !gate.admitsKey(event)) return;
  const reason = card().querySelector("#reason");
  if (event.shiftKey && target.matches("#skip, #flag")) {
    reason.dataset.then = `#${target.id}`;
    reason.focus();
  } else if (event.key === " " && target.id === "forward" && !isLeftAlone()) {
    const hint = card().querySelector("#changed-hint");
    hint.textContent = hint.dataset.text;
  } else if (target.matches("input")) {
    target.focus();
  } else {
    target.click();
  }
}

// NB: keys and clicks are taken on the document, since the card may be another element after each decision.
document.addEventListener("keydown", pressedKey);
document.addEventListener("click", clicked, true);
document.addEventListener("mousedown", (event) => {
  // A label that was clicked must not keep the focus: Enter would press it again instead of saving.
  if (event.target.closest("#labels button, .likely, .span-tools, #spans button")) event.preventDefault();
});
document.addEventListener("input", (event) => {
  if (event.target.id === "label-search") finder.filter(event.target);
});
document.addEventListener("submit", (event) => {
  if (!event.target.closest("#card")) return;
  event.preventDefault();
  if (gate.isOpen) decide(event.target, event.submitter);
});
document.addEventListener("htmx:beforeSwap", (event) => {
  // A log-in page is no part of this one.
  const { pathname } = new URL(bench.dataset.url, location.href);
  if (!event.detail.xhr.responseURL.includes(pathname)) event.detail.shouldSwap = false;
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target?.id === "card") began(true); // the card that said why there was none
  if (event.detail.target?.id === "why" && event.detail.target.isConnected) marks.show(card());
});
document.querySelector("#refusals button").addEventListener("click", () => {
  document.querySelector("#refusals ul").replaceChildren();
  document.querySelector("#refusals").hidden = true;
});
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.target?.id !== "progress" || !detail.successful) return;
  letGo(detail.xhr.getResponseHeader("Winnow-Dropped")?.split(" ").filter(Boolean) ?? []);
});
tabs.addEventListener("message", ({ data }) => letGo([data], { isMine: false }));
document.addEventListener("wheel", scrolled, { capture: true, passive: true });
document.addEventListener("touchmove", scrolled, { capture: true, passive: true });
addEventListener("pagehide", giveBack);
addEventListener("online", () => outbox.flush());
addEventListener("offline", () => report({ size: outbox.size, problem: "network" }));

bindPanels();
bindSwipe((event) => gate.admitsKey(event));
bindPointer((event) => gate.admitsMove(event));
// What an earlier page left behind goes out first. It may hold the decision on this very card.
if (outbox.cards.includes(card().dataset.card)) proceed();
else began(true);
if (!("empty" in card().dataset)) fill();

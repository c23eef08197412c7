// The labelling page: decisions go into the outbox, the server's answer to the last one is the next card.

import * as finder from "./finder.js";
import { Gate } from "./gate.js";
import { meaning } from "./keys.js";
import { csrfToken, Outbox } from "./outbox.js";
import { bindPanels } from "./panels.js";
import * as choice from "./choice.js";
import { Stopwatch } from "./stopwatch.js";

const bench = document.querySelector("#bench");
const notice = document.querySelector("#outbox");
const gate = new Gate();
const watch = new Stopwatch();
const outbox = new Outbox({ ...bench.dataset, url: bench.dataset.url, onAnswer: show, onChange: report, onRefused: tell });

let isAwaiting = false; // whether this page's decision was not answered yet
let reserved = ""; // the card that waits for this page's decision, also while an earlier one is shown

const card = () => document.querySelector("#card");

function show(html) {
  isAwaiting = false;
  const wasInside = !document.activeElement || document.activeElement === document.body
    || card().contains(document.activeElement);
  htmx.swap("#card", html, { swapStyle: "outerHTML" });
  began(wasInside);
  htmx.trigger("#progress", "decided");
}

function began(takesFocus) {
  if (card().dataset.card && !card().dataset.annotation) reserve(card().dataset.card);
  choice.remember(card());
  const text = card().querySelector("#document-text");
  if (takesFocus) (text ?? card()).focus({ preventScroll: true });
  announce(text ?? card());
  choice.markChosen(card());
  gate.openAfterPaint(() => {
    watch.start();
    card().dataset.ready = "";
  });
}

function reserve(key) {
  reserved = key;
  document.querySelector("#waiting-card").value = key; // the pulse keeps its lease as well
}

function announce(element) {
  document.querySelector("#announcer").textContent = element.textContent.trim().slice(0, 5000);
}

// What became of a decision that was refused while others followed: it stays until somebody has read it.
function tell(sentence) {
  const line = document.createElement("li");
  line.textContent = sentence;
  document.querySelector("#refusals ul").append(line);
  document.querySelector("#refusals").hidden = false;
}

function report({ size, problem }) {
  const isWaiting = size > 0 || !navigator.onLine;
  notice.hidden = !isWaiting;
  document.querySelector("#outbox-login").hidden = problem !== "login";
  document.querySelector("#outbox-waiting").hidden = size === 0;
  // Another page of this browser has sent what was decided here, and got the answer.
  if (isAwaiting && size === 0 && navigator.onLine) open({ href: bench.dataset.url });
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
  if (card().dataset.choices === "toggle" && form.id === "answer") {
    const chosen = submitter?.id === "none" ? [] : choice.chosenLabels(card());
    for (const label of chosen) fields.append("labels", label);
    if (submitter?.id !== "none") {
      if (isLeftAlone()) return open(card().querySelector("#forward"));
      if (!chosen.length) return choice.askForChoice(card());
    }
  }
  if (form.id === "answer" && choice.askAfter(card(), fields.getAll("labels"), submitter)) return;
  gate.close();
  delete card().dataset.ready;
  outbox.add([...fields]);
  isAwaiting = true;
  if (fields.get("card") === reserved) reserve("");
  card().setAttribute("aria-busy", "true");
  outbox.flush();
}

// Whether an earlier decision is shown that was not changed: to save it is to go on.
function isLeftAlone() {
  return Boolean(card().dataset.annotation) && choice.isAsItBegan(card());
}

// Give the card back when the page closes. A page that the browser keeps aside may be shown again, so it keeps
// its card, and so does a card whose decision is on its way.
function giveBack(event) {
  if (event.persisted || !reserved) return;
  const fields = new FormData();
  fields.set("card", reserved);
  fields.set("csrfmiddlewaretoken", csrfToken());
  navigator.sendBeacon(bench.dataset.release, fields);
}

async function open(link) {
  gate.close();
  await outbox.flush();
  try {
    if (outbox.size) throw new TypeError("decisions are waiting");
    const response = await fetch(link.href, { headers: { "HX-Request": "true" }, redirect: "manual" });
    if (response.ok) return show(await response.text());
    location.assign(link.href); // the session has ended, or the server explains itself
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    report({ size: outbox.size, problem: outbox.problem });
    if (!outbox.size) gate.openAfterPaint(() => {});
  }
}

function clicked(event) {
  const pressed = event.target.closest("#card button, #card a");
  if (!pressed) return;
  if (!gate.admitsClick(event)) {
    event.preventDefault();
    event.stopImmediatePropagation();
  } else if (pressed.matches("#back, #forward")) {
    event.preventDefault();
    open(pressed);
  } else if (pressed.matches(".choice[type=button]")) {
    choice.toggle(card(), pressed);
  } else if (pressed.matches("#accept[type=button]")) {
    if (!choice.takeOver(card())) choice.askForChoice(card());
  }
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
    choice.markChosen(card()); // in the project's order again
  } else if (event.target.id === "reason" && event.key === "Enter") {
    event.preventDefault();
    if (gate.admitsKey(event)) document.querySelector(event.target.dataset.then ?? "#skip").click();
  }
}

function pressedKey(event) {
  if (event.defaultPrevented) return;
  if (event.target.matches?.("#label-search, #reason")) return inField(event);
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

// NB: keys and clicks are taken on the document, since the card is another element after each decision.
document.addEventListener("keydown", pressedKey);
document.addEventListener("click", clicked, true);
document.addEventListener("mousedown", (event) => {
  // A label that was clicked must not keep the focus: Enter would press it again instead of saving.
  if (event.target.closest("#labels button")) event.preventDefault();
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
  if (!event.detail.xhr.responseURL.includes(bench.dataset.url)) event.detail.shouldSwap = false;
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target?.id === "card") began(true);
});
document.querySelector("#refusals button").addEventListener("click", () => {
  document.querySelector("#refusals ul").replaceChildren();
  document.querySelector("#refusals").hidden = true;
});
addEventListener("pagehide", giveBack);
addEventListener("online", () => outbox.flush());
addEventListener("offline", () => report({ size: outbox.size, problem: "network" }));

bindPanels();
// What an earlier page left behind goes out before this page's card takes a decision.
if (outbox.size) outbox.flush();
else began(true);

// The page of what waits in this browser: each project's decisions are sent, handed on, saved as a file or dropped.

import { Outbox, waitingOf } from "./outbox.js";
import * as storage from "./storage.js";

const list = document.querySelector("#waiting");
const { owner, label, handOn } = list.dataset;

function sentence(name, waiting = 0) {
  return list.dataset[name].replace("{n}", String(waiting));
}

function build(project) {
  const part = document.querySelector("#waiting-project").content.cloneNode(true).querySelector("section");
  const keys = () => waitingOf(owner).get(project) ?? [];
  const said = part.querySelector("output");
  const say = (text) => said.append(Object.assign(document.createElement("p"), { textContent: text }));
  const url = label.replace("SLUG", project);

  function show({ problem }) {
    const size = keys().length;
    showRefused(project);
    part.querySelector(".count").textContent = size ? sentence("count", size) : sentence("done");
    part.querySelector(".problem").textContent = size && problem ? sentence(problem) : "";
    for (const button of part.querySelectorAll("button")) button.hidden = size === 0;
    part.querySelector(".hand-on").hidden = size === 0 || problem !== "refused";
    part.querySelector(".drop").hidden = size === 0 || !["refused", "final", "gone"].includes(problem);
  }

  const outbox = new Outbox({
    owner,
    project,
    url,
    onAnswer: (text) => {
      const alert = new DOMParser().parseFromString(text, "text/html").querySelector("[role=alert]");
      if (alert) say(alert.textContent);
    },
    onChange: show,
  });
  part.querySelector("h2").textContent = project;
  part.querySelector(".send").addEventListener("click", () => outbox.flush());
  part.querySelector(".copy").addEventListener("click", () => storage.saveCopy(project, keys()));
  part.querySelector(".hand-on").addEventListener("click", async () => {
    const answers = await outbox.handOn(handOn.replace("SLUG", project));
    answers.forEach(say);
    if (outbox.problem === "final") return outbox.flush(); // a lead has just added the person again
    show({ problem: outbox.problem === "refused" ? "gone" : outbox.problem });
  });
  part.querySelector(".drop").addEventListener("click", () => {
    if (!confirm(sentence("sure", keys().length))) return;
    for (const key of keys()) storage.remove(key);
    said.replaceChildren();
    show({ problem: "" });
  });
  list.append(part);
  show({ problem: "" });
  outbox.flush();
}

// What the server has refused for good is only saved and dismissed.
function showRefused(project) {
  const keys = waitingOf(owner, "refused").get(project) ?? [];
  list.querySelector(`[data-refused="${project}"]`)?.remove();
  if (!keys.length) return;
  const part = document.querySelector("#refused-project").content.cloneNode(true).querySelector("section");
  part.dataset.refused = project;
  part.querySelector("h2").textContent = project;
  part.querySelector(".count").textContent = sentence("refusals", keys.length);
  const sentences = keys.map((key) => new Map(JSON.parse(storage.read(key) ?? "[]")).get("refused"));
  for (const text of new Set(sentences)) {
    part.querySelector("ul").append(Object.assign(document.createElement("li"), { textContent: text }));
  }
  part.querySelector(".copy").addEventListener("click", () => storage.saveCopy(project, keys));
  part.querySelector(".drop").addEventListener("click", () => {
    if (!confirm(sentence("sure", keys.length))) return;
    keys.forEach(storage.remove);
    part.remove();
  });
  list.append(part);
}

const projects = waitingOf(owner);
const refused = waitingOf(owner, "refused");
document.querySelector("#nothing-waits").hidden = projects.size + refused.size > 0;
for (const project of projects.keys()) build(project);
for (const project of refused.keys()) showRefused(project);

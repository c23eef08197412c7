// The page of what waits in this browser: each project's decisions are sent, handed on, saved as a file or dropped.

import { Outbox, waitingOf } from "./outbox.js";
import * as storage from "./storage.js";

const list = document.querySelector("#waiting");
const { owner, label, handOn } = list.dataset;

function sentence(name, waiting = 0) {
  return list.dataset[name].replace("{n}", String(waiting));
}

function saveCopy(project, keys) {
  const entries = keys.map((key) => Object.fromEntries(JSON.parse(storage.read(key) ?? "[]")));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(entries, null, 2)], { type: "application/json" }));
  link.download = `winnow-${project}.json`;
  link.click();
}

function build(project) {
  const part = document.querySelector("#waiting-project").content.cloneNode(true).querySelector("section");
  const keys = () => waitingOf(owner).get(project) ?? [];
  const said = part.querySelector("output");
  const say = (text) => said.append(Object.assign(document.createElement("p"), { textContent: text }));
  const url = label.replace("SLUG", project);

  function show({ problem }) {
    const size = keys().length;
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
  part.querySelector(".copy").addEventListener("click", () => saveCopy(project, keys()));
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

const projects = waitingOf(owner);
document.querySelector("#nothing-waits").hidden = projects.size > 0;
for (const project of projects.keys()) build(project);

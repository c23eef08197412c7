// For somebody who is not logged in: what this browser keeps of anybody's decisions, as a number and as a file.

import * as storage from "./storage.js";

const link = document.querySelector("#kept-link");
const part = document.querySelector("#kept");
const kept = () => [...storage.keys("winnow/outbox/"), ...storage.keys("winnow/refused/")];

function show() {
  const size = kept().length;
  part.querySelector(".count").textContent = part.dataset[size ? "count" : "done"].replace("{n}", String(size));
  part.querySelector(".copy").hidden = size === 0;
  part.querySelector(".drop").hidden = true;
}

if (link) link.hidden = kept().length === 0;
if (part) {
  let saved = [];
  part.querySelector(".copy").addEventListener("click", () => {
    saved = kept();
    storage.saveCopy("decisions", saved);
    part.querySelector(".drop").hidden = false;
  });
  part.querySelector(".drop").addEventListener("click", () => {
    if (!confirm(part.dataset.sure.replace("{n}", String(saved.length)))) return;
    saved.forEach(storage.remove);
    show();
  });
  show();
}

// The page of one document: what was marked stands in its text, each span under the pointer or the focus stands out, and
// one key takes all that a person marked.

import { TextPlaces } from "./codepoints.js";

const text = document.querySelector(".document-text .span-text");
const boxes = [...document.querySelectorAll("input[name=marked]")];
const highlights = globalThis.CSS?.highlights;

text.normalize();
const places = new TextPlaces(text.firstChild);

function rangeOf(box) {
  const [start, end] = box.value.split("-").map(Number);
  return places.range({ start, end });
}

// What is ticked is coloured; what is not is only underlined.
function draw() {
  if (!highlights) return;
  highlights.clear();
  for (const box of boxes) {
    const name = box.checked ? `span-${box.dataset.hue}` : "span-left";
    if (!highlights.has(name)) highlights.set(name, new Highlight());
    highlights.get(name).add(rangeOf(box));
  }
}

function point(event) {
  const box = event.target.closest?.(".marked-span")?.querySelector("input[name=marked]");
  highlights?.delete("span-selection");
  if (!box || !highlights) return;
  const range = rangeOf(box);
  highlights.set("span-selection", Object.assign(new Highlight(range), { priority: 1 }));
  const pane = text.parentElement;
  const [seen, rect] = [pane.getBoundingClientRect(), range.getBoundingClientRect()];
  if (rect.top < seen.top || rect.bottom > seen.bottom) pane.scrollTop += rect.top - seen.top - seen.height / 3;
}

function take(key) {
  for (const box of boxes) box.checked = box.dataset.by.split(" ").includes(key);
  const none = document.querySelector(".answer-form input[name=none]");
  none.checked = !boxes.some((box) => box.checked);
  draw();
}

for (const row of document.querySelectorAll(".take-all")) row.hidden = false; // without scripts one ticks
document.addEventListener("change", (event) => {
  if (event.target.name !== "marked") return;
  if (event.target.checked) document.querySelector(".answer-form input[name=none]").checked = false;
  draw();
});
document.addEventListener("click", (event) => {
  const button = event.target.closest(".take");
  if (button) take(button.dataset.take);
});
document.addEventListener("pointerover", point);
document.addEventListener("focusin", point);
draw();

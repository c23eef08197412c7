// Examples of labels in the guidelines beside the text: a key opens those of the labels in question.

const FEW = 4; // labels: so many are shown at once where none is in question

const links = () => [...document.querySelectorAll("#guidelines [data-examples]")];

// The label that has the focus, else those that the card suggests where it shows that, else all of a few.
function inQuestion() {
  const focused = document.activeElement?.closest?.(".choice");
  if (focused) return [focused.value];
  const suggestion = document.querySelector("#suggestion:not([hidden])");
  const suggested = suggestion?.dataset.labels?.split(" ").filter(Boolean) ?? [];
  if (suggested.length) return suggested;
  return links().length <= FEW ? links().map((link) => link.dataset.examples) : [];
}

function openExamples() {
  const opener = document.querySelector("#open-guidelines");
  if (opener.getAttribute("aria-expanded") !== "true") opener.click();
  const wanted = inQuestion();
  const found = links().filter((link) => wanted.includes(link.dataset.examples));
  for (const link of found) link.click();
  const first = found[0] ?? links()[0];
  first?.scrollIntoView({ block: "nearest" });
  if (!found.length) first?.focus();
}

// What the card shows is no example beside it, as on the way back to an earlier decision.
function hideOwn() {
  const shown = document.querySelector("#card")?.dataset.document;
  for (const example of document.querySelectorAll("#guidelines li[data-document]")) {
    example.hidden = example.dataset.document === shown;
  }
}

document.querySelector("#open-examples").addEventListener("click", openExamples);
document.querySelector("#guidelines").addEventListener("htmx:afterSwap", hideOwn);
new MutationObserver(hideOwn).observe(document.querySelector("#bench"), {
  subtree: true, childList: true, attributeFilter: ["data-document"],
});

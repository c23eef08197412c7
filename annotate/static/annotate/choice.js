// What is chosen on a card, and the suggestion that is shown only after the choice.

export function chosenLabels(card) {
  return [...card.querySelectorAll('.choice[aria-pressed="true"]')].map((button) => button.value);
}

// The chosen labels by name beside the button that saves: among many, some are out of sight.
export function markChosen(card) {
  const output = card.querySelector("#chosen");
  if (!output) return;
  const names = [...card.querySelectorAll('.choice[aria-pressed="true"] .choice-name')];
  output.value = names.map((name) => name.textContent).join(" · ") || output.dataset.none;
}

function suggestedLabels(suggestion) {
  return suggestion.dataset.labels.split(" ").filter(Boolean);
}

export function takeOver(card) {
  const wanted = new Set(suggestedLabels(card.querySelector("#suggestion")));
  for (const button of card.querySelectorAll(".choice")) {
    button.setAttribute("aria-pressed", String(wanted.has(button.value)));
  }
  markChosen(card);
}

function reveal(card, suggestion, submitter) {
  suggestion.hidden = false;
  suggestion.querySelector(".after-hint").hidden = false;
  for (const field of card.querySelectorAll("[name=revealed]")) field.value = "1";
  if (submitter?.matches(".choice")) {
    submitter.setAttribute("aria-pressed", "true");
    submitter.dataset.keptChoice = "";
  }
}

// Show a suggestion that differs from the choice, once, before it is sent; true where it has just been shown.
export function askAfter(card, labels, submitter) {
  const suggestion = card.querySelector("#suggestion[data-after]");
  if (!suggestion?.hidden) return false;
  const suggested = suggestedLabels(suggestion);
  const isSame = suggested.length === labels.length && suggested.every((label) => labels.includes(label));
  if (isSame) return false;
  reveal(card, suggestion, submitter);
  return true;
}

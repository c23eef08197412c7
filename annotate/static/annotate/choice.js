// What is chosen on a card, and the suggestion that is shown only after the choice.

export function chosenLabels(card) {
  return [...card.querySelectorAll('.choice[aria-pressed="true"]')].map((button) => button.value);
}

// What was on the card when it was shown, to tell whether anything was changed since.
export function remember(card) {
  card.dataset.began = chosenLabels(card).join(" ");
}

export function isAsItBegan(card) {
  const reason = card.querySelector("#reason");
  return chosenLabels(card).join(" ") === card.dataset.began && reason?.value === reason?.defaultValue;
}

// The chosen labels by name beside the button that saves: among many, some are out of sight.
export function markChosen(card) {
  const output = card.querySelector("#chosen");
  if (!output) return;
  const names = [...card.querySelectorAll('.choice[aria-pressed="true"] .choice-name')];
  output.value = names.map((name) => name.textContent).join(" · ") || unchosen(card, output.dataset);
}

function unchosen(card, sentences) {
  return card.querySelector('#none[aria-pressed="true"]') ? sentences.none : sentences.nothing;
}

export function toggle(card, button) {
  button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
  touch(card);
  markChosen(card);
}

function touch(card) {
  card.dataset.touched = "";
  const none = card.querySelector("#none");
  none?.removeAttribute("aria-pressed");
  none?.removeAttribute("data-kept-choice");
}

// An answer is never empty by leaving something out: take over what is suggested, or say which key means it.
export function askForChoice(card) {
  const suggestion = card.querySelector("#suggestion:not([hidden])");
  const isUntouched = !("touched" in card.dataset) && !card.dataset.annotation;
  if (isUntouched && suggestion && takeOver(card)) return;
  const output = card.querySelector("#chosen");
  output.value = output.dataset.hint;
}

function suggestedLabels(suggestion) {
  return suggestion.dataset.labels.split(" ").filter(Boolean);
}

// Choose what is suggested; false where that is no label.
export function takeOver(card) {
  const wanted = new Set(suggestedLabels(card.querySelector("#suggestion")));
  touch(card);
  for (const button of card.querySelectorAll(".choice")) {
    button.setAttribute("aria-pressed", String(wanted.has(button.value)));
  }
  markChosen(card);
  return wanted.size > 0;
}

function reveal(card, suggestion, submitter) {
  suggestion.hidden = false;
  suggestion.querySelector(".after-hint").hidden = false;
  for (const field of card.querySelectorAll("[name=revealed]")) field.value = "1";
  if (submitter?.matches(".choice, #none")) {
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

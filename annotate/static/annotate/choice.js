// What is chosen on a card, and the suggestion that is shown only after the choice.

export function chosenLabels(card) {
  return [...card.querySelectorAll('.choice[aria-pressed="true"]')].map((button) => button.value);
}

// The fields of the answer as it stands; null where nothing is chosen, which is none.
export function answerFields(card, submitter) {
  if (submitter?.id === "none") return [];
  const chosen = chosenLabels(card);
  return chosen.length ? chosen.map((label) => ["labels", label]) : null;
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
  for (const likely of card.querySelectorAll(".likely[aria-pressed]")) copyState(card, likely);
  const output = card.querySelector("#chosen");
  if (!output) return;
  const chosen = [...card.querySelectorAll('.choice[aria-pressed="true"]')];
  const names = chosen.map((button) => button.querySelector(".choice-name").textContent).join(" · ");
  const isOnlySuggested = chosen.every((button) => "suggested" in button.dataset);
  if (!names) output.value = unchosen(card, output.dataset);
  else output.value = isOnlySuggested ? output.dataset.suggested.replace("{names}", names) : names;
}

function copyState(card, likely) {
  const button = labelOf(card, likely);
  likely.setAttribute("aria-pressed", button.getAttribute("aria-pressed"));
  markSuggested(likely, "suggested" in button.dataset);
}

function labelOf(card, button) {
  return card.querySelector(`.choice[value="${CSS.escape(button.value)}"]`);
}

function unchosen(card, sentences) {
  return card.querySelector('#none[aria-pressed="true"]') ? sentences.none : sentences.nothing;
}

// A button of the full list or one of the likeliest: both stand for the same label. The first one that somebody
// presses replaces what was suggested; one that was suggested itself is kept by that.
export function toggle(card, pressed) {
  const button = labelOf(card, pressed);
  const isKept = "suggested" in button.dataset || button.getAttribute("aria-pressed") !== "true";
  for (const suggested of card.querySelectorAll(".choice[data-suggested]")) {
    suggested.setAttribute("aria-pressed", "false");
    markSuggested(suggested, false);
  }
  button.setAttribute("aria-pressed", String(isKept));
  touch(card);
  markChosen(card);
}

function touch(card) {
  card.dataset.touched = "";
  const none = card.querySelector("#none");
  none?.removeAttribute("aria-pressed");
  none?.removeAttribute("data-kept-choice");
}

// Where labels are switches, what is suggested is on until somebody chooses, and drawn as suggested.
export function preselect(card) {
  const suggestion = card.querySelector("#suggestion:not([hidden])");
  if (!suggestion || !card.querySelector("#save") || card.dataset.annotation || "touched" in card.dataset) return;
  for (const label of suggestedLabels(suggestion)) {
    const button = labelOf(card, { value: label });
    button.setAttribute("aria-pressed", "true");
    markSuggested(button, true);
  }
}

function markSuggested(button, isSuggested) {
  if (isSuggested === "suggested" in button.dataset) return;
  button.toggleAttribute("data-suggested", isSuggested);
  if (!isSuggested) return button.querySelector(".suggested-word").remove();
  const word = document.createElement("span");
  word.className = "suggested-word visually-hidden";
  word.textContent = ` (${button.closest("#card").querySelector("#suggestion").dataset.word})`;
  button.append(word);
}

// An answer is never empty by leaving something out: say which key means it.
export function askForChoice(card) {
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
    markSuggested(button, false);
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

// Where the project wants it, a suggestion waits until its text was in sight for as long as reading it takes.

const SOONEST_MS = 50;

// Show the suggestion of a card when its time has come, and call `then`. Nothing happens where none waits.
export function showWhenRead(card, watch, then) {
  const suggestion = card.querySelector("#suggestion[data-wait][hidden]");
  if (suggestion) showOnce(suggestion, card, watch, then);
}

function showOnce(suggestion, card, watch, then) {
  if (!suggestion.isConnected || !("ready" in card.dataset)) return; // another card is on the screen
  const left = Number(suggestion.dataset.wait) - watch.seconds(); // time in the background does not count
  if (left > 0) {
    setTimeout(() => showOnce(suggestion, card, watch, then), Math.max(left * 1000, SOONEST_MS));
    return;
  }
  suggestion.hidden = false;
  for (const field of card.querySelectorAll("[name=revealed]")) field.value = "1";
  then();
}

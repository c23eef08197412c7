// What a screen reader says of the card on the screen.

const LONGEST = 5000;

export function announce(text) {
  document.querySelector("#announcer").textContent = text.trim().slice(0, LONGEST);
}

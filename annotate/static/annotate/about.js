// What a label means, told in a line of the card while the pointer or the focus is on it; the guidelines follow.

const pane = document.querySelector("#guidelines");
let current = ""; // the label in question, by its key

function follow() {
  for (const entry of pane.querySelectorAll("[data-current]")) entry.removeAttribute("data-current");
  const entry = current && pane.querySelector(`#guide-${current}`);
  if (!entry || pane.hidden) return;
  entry.dataset.current = "";
  // NB: `scrollIntoView` would move a low window's page as well.
  pane.scrollTop = entry.offsetTop - pane.clientHeight / 4;
}

function tell(event) {
  const label = event.target.closest?.("#labels .choice");
  if (!label || label.value === current || event.pointerType === "touch") return;
  current = label.value;
  const line = document.querySelector("#about");
  if (line) {
    line.querySelector("strong").textContent = label.querySelector(".choice-name").textContent;
    line.querySelector("span").textContent = label.querySelector(".choice-about")?.textContent ?? "";
  }
  follow();
}

export function bindAbout() {
  document.addEventListener("pointerover", tell);
  document.addEventListener("focusin", tell);
}

// Another card is on the screen, so no label is in question.
export function forgetLabel() {
  current = "";
}

export { follow };

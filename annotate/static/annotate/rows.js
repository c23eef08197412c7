// A row of labels that would be cut at the edge of its pane is not shown until it fits whole.

const SLACK = 1; // pixels: edges fall between two of them

let list = null;
let watcher = null;

function mark(entries) {
  for (const { target, boundingClientRect: whole, intersectionRect: seen, rootBounds } of entries) {
    const fits = whole.height <= rootBounds.height;
    const isCut = seen.height > 0 && seen.height < whole.height - SLACK;
    target.toggleAttribute("data-cut", fits && isCut);
  }
}

function watch() {
  const shown = document.querySelector("#labels");
  if (shown === list) return;
  watcher?.disconnect();
  list = shown;
  if (!list) return;
  watcher = new IntersectionObserver(mark, { root: list, threshold: [0, 0.25, 0.5, 0.75, 0.9, 1] });
  for (const button of list.querySelectorAll(".choice")) watcher.observe(button);
}

// NB: the card, and with it the list, may be another element after a decision.
export function bindRows() {
  new MutationObserver(watch).observe(document.querySelector("#bench"), { childList: true, subtree: true });
  watch();
}

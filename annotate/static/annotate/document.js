// Keys of a document's page: j and k go through the list, a label's own key chooses it.

const LINKS = { j: "#next", k: "#previous" };

addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  if (target.matches("textarea, select, input:not([type=checkbox], [type=radio])")) return;
  const pressed = key.toLowerCase();
  const label = document.querySelector(`.answer-form [data-hotkey="${CSS.escape(pressed)}"]`);
  const found = document.querySelector(LINKS[pressed] ?? "#none-such") ?? label;
  if (!found) return;
  event.preventDefault();
  found.click();
  found.focus();
});

// The labels of a project are dragged into another order, or moved by their buttons, without loading the page anew:
// what was typed into the table stays. Without this script each button sends a form.

const rows = document.querySelector("#ordered");
const form = document.querySelector("#order");
const told = document.querySelector("#order-told");
let dragged = null;

async function save(moved) {
  const body = new FormData(form);
  const all = [...rows.children];
  for (const row of all) body.append("order", row.dataset.key);
  for (const [n, row] of all.entries()) {
    row.querySelector('[name="up"]').disabled = n === 0;
    row.querySelector('[name="down"]').disabled = n === all.length - 1;
  }
  const place = { name: moved.dataset.name, n: all.indexOf(moved) + 1, all: all.length };
  let isSaved = false;
  try {
    isSaved = (await fetch(form.action, { method: "POST", body, redirect: "manual" })).type === "opaqueredirect";
  } catch {
    isSaved = false; // the network is gone, which the sentence says
  }
  const sentence = isSaved ? told.dataset.moved : told.dataset.failed;
  told.textContent = sentence.replace(/\{(\w+)\}/g, (_all, word) => place[word]);
  told.classList.toggle("visually-hidden", isSaved);
}

function step(event) {
  const button = event.submitter;
  const row = button.closest("tr");
  const isUp = button.name === "up";
  const other = isUp ? row.previousElementSibling : row.nextElementSibling;
  event.preventDefault();
  if (!other) return;
  if (isUp) other.before(row);
  else other.after(row);
  save(row);
  const again = button.disabled ? row.querySelector('[form="order"]:not(:disabled)') : button;
  again?.focus();
}

function drag(event) {
  const handle = event.target.closest?.(".order");
  if (!handle) return;
  dragged = handle.closest("tr");
  dragged.classList.add("dragged");
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.dataset.name);
  event.dataTransfer.setDragImage(dragged, 0, 0);
}

function over(event) {
  const row = dragged && event.target.closest?.("#ordered > tr");
  if (!row) return;
  event.preventDefault();
  if (row === dragged) return;
  const { top, height } = row.getBoundingClientRect();
  if (event.clientY < top + height / 2) row.before(dragged);
  else row.after(dragged);
}

function drop() {
  if (!dragged) return;
  dragged.classList.remove("dragged");
  save(dragged);
  dragged = null;
}

if (rows.querySelector(".order")) {
  for (const cell of rows.querySelectorAll(".order")) cell.draggable = true;
  form.addEventListener("submit", step);
  rows.addEventListener("dragstart", drag);
  rows.addEventListener("dragover", over);
  rows.addEventListener("dragend", drop);
}

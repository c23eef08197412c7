// The guidelines beside the text and the list of keys.

const REMEMBERED = "winnow/guidelines";

function setGuidelines(isOpen) {
  document.querySelector("#guidelines").hidden = !isOpen;
  document.querySelector("#open-guidelines").setAttribute("aria-expanded", String(isOpen));
  document.querySelector("#bench").toggleAttribute("data-guidelines", isOpen);
}

export function bindPanels() {
  const button = document.querySelector("#open-guidelines");
  setGuidelines(localStorage.getItem(REMEMBERED) === "open");
  button.addEventListener("click", () => {
    const isOpen = button.getAttribute("aria-expanded") !== "true";
    setGuidelines(isOpen);
    localStorage.setItem(REMEMBERED, isOpen ? "open" : "closed");
  });
  const keys = document.querySelector("#keys");
  document.querySelector("#open-keys").addEventListener("click", () => keys.showModal());
  keys.addEventListener("close", () => document.querySelector("#document-text")?.focus());
}

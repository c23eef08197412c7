// Shows the options of the chosen family alone. Without this script all of them are there, and the server
// looks only at those of the family that was chosen.
const chosen = document.querySelector("#id_family");
const show = () => {
  for (const part of document.querySelectorAll("[data-family]")) part.hidden = part.dataset.family !== chosen.value;
};
chosen?.addEventListener("change", show);
// A browser that comes back to the page may put the former choice in again.
window.addEventListener("pageshow", () => chosen && show());

/* Runs first. */

document.documentElement.classList.add("scripted");
const table = document.querySelector("table.clips");
if (table) {
  new ClipTable(table, document.querySelector(".controls"), document.getElementById("found"));
}
document.querySelectorAll(".alone").forEach(liven);
openNamed();
addEventListener("DOMContentLoaded", watchCards);
addEventListener("hashchange", openNamed);
addEventListener("beforeprint", fillForPrint);
document.querySelector("table.clips")?.addEventListener("click", (event) => {
  // the same link again does not change the address
  if (event.target.closest("a")?.hash === location.hash) openNamed();
});

/* Cards are empty until they come into view or are opened: then the content of their templates is
   put in. On a large page the templates are still arriving when the script runs. An only card is
   there from the start. */

function fill(details) {
  const template = document.getElementById(details.closest(".card").id.replace("clip", "inside"));
  if (!template) return;
  details.classList.add("filled");
  // imported, not moved: the sounds of a template belong to a document that may not load any
  details.append(document.importNode(template.content, true));
  template.remove();
  liven(details);
}

function liven(content) {
  for (const tick of content.querySelectorAll("[data-at]")) {
    tick.style.setProperty("--at", tick.dataset.at);
  }
  const heads = [...content.querySelectorAll(".image .head")];
  const root = content.querySelector(".player");
  if (root) followPointer(content, new Player(root, heads));
}

/* A click on a picture goes to that time. */
function followPointer(content, player) {
  for (const image of content.querySelectorAll(".image")) {
    image.addEventListener("click", (event) => {
      const box = image.getBoundingClientRect();
      player.seek(player.seconds * (event.clientX - box.left) / box.width);
    });
  }
  content.addEventListener("toggle", () => {
    if (!content.open && player.plays) player.pause();
  });
}

/* Starts when all templates are there; cards that are open and in view by then are filled at once. */
function watchCards() {
  const seen = new IntersectionObserver((changes) => {
    for (const change of changes) {
      if (change.isIntersecting && change.target.open) fill(change.target);
    }
  }, { rootMargin: "50%" });
  for (const details of document.querySelectorAll(".card > details")) {
    seen.observe(details);
    details.addEventListener("toggle", () => { if (details.open) fill(details); });
  }
}

/* Open the card that the address names, and focus it. */
function openNamed() {
  const card = document.getElementById(location.hash.slice(1));
  if (!card || !card.classList.contains("card")) return;
  const details = card.querySelector(":scope > details");
  if (!details) return; // the only one is always open
  card.hidden = false;
  details.open = true;
  fill(details);
  card.scrollIntoView();
  card.querySelector("summary").focus({ preventScroll: true });
}

function fillForPrint() {
  document.querySelectorAll(".card > details[open]").forEach((details) => {
    fill(details);
    details.querySelectorAll("img").forEach((image) => { image.loading = "eager"; });
  });
}

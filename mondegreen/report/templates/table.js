"use strict";
/* The table of clips: sorted by its headings, filtered by outcome and by text; the cards follow. */

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

class ClipTable {
  constructor(table, controls, found) {
    this.body = table.tBodies[0];
    this.rows = [...this.body.rows];
    this.texts = new Map(); // of rows, in lower case, from the first search on
    this.cards = document.getElementById("cards");
    this.found = found;
    this.kind = "";
    this.words = [];
    this.headings = [...table.tHead.rows[0].cells];
    this.headings.forEach((heading, at) => {
      heading.querySelector("button").addEventListener("click", () => this.sortBy(heading, at));
    });
    if (controls) this.attend(controls);
  }

  attend(controls) {
    this.filters = [...controls.querySelectorAll("[data-filter]")];
    this.filters.forEach((button) => {
      button.addEventListener("click", () => this.show(button));
    });
    controls.querySelector("input")?.addEventListener("input", (event) => {
      this.words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
      this.filter();
    });
    this.report(this.rows.length);
  }

  show(button) {
    this.kind = button.dataset.filter;
    this.filters.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
    this.filter();
  }

  filter() {
    const cards = new Set();
    let shown = 0;
    for (const row of this.rows) {
      row.hidden = !this.passes(row);
      if (!row.hidden) {
        shown += 1;
        cards.add(`clip-${row.dataset.card}`);
      }
    }
    for (const card of this.cards.querySelectorAll(".card")) card.hidden = !cards.has(card.id);
    this.report(shown);
  }

  report(shown) {
    this.found.textContent = `${shown} of ${this.rows.length} shown`;
  }

  passes(row) {
    const kinds = row.dataset.kinds.split(" ");
    if (this.kind && !kinds.includes(this.kind)) return false;
    return this.words.every((word) => this.text(row).includes(word));
  }

  text(row) {
    if (!this.texts.has(row)) this.texts.set(row, row.textContent.toLowerCase());
    return this.texts.get(row);
  }

  sortBy(heading, at) {
    const up = heading.getAttribute("aria-sort") !== "ascending";
    this.headings.forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", up ? "ascending" : "descending");
    const compare = heading.classList.contains("number") ? byNumber : byText;
    this.rows.sort((a, b) => compare(a.cells[at], b.cells[at], up ? 1 : -1));
    this.body.append(...this.rows);
    const numbers = new Set(this.rows.map((row) => row.dataset.card));
    this.cards.append(...[...numbers].map((number) => document.getElementById(`clip-${number}`)));
  }
}

/* Unknown values come last, in either direction. */
function byNumber(a, b, sign) {
  const [left, right] = [a.dataset.value, b.dataset.value];
  if (left === undefined || right === undefined) {
    return (left === undefined) - (right === undefined);
  }
  return sign * (Number(left) - Number(right));
}

function byText(a, b, sign) {
  return sign * collator.compare(a.textContent.trim(), b.textContent.trim());
}

// Click a heading to sort a table of clips or listeners by that column.
"use strict";

const sorter = new Intl.Collator(undefined, { numeric: true });

function cell(row, column) {
  const found = row.cells[column];
  return found.dataset.value ?? found.textContent.trim();
}

function compare(one, other) {
  const difference = Number(one) - Number(other);
  return Number.isNaN(difference) ? sorter.compare(one, other) : difference;
}

function sort(table, heading, column) {
  const sign = heading.getAttribute("aria-sort") === "descending" ? 1 : -1;
  for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  rows.sort((one, other) => sign * compare(cell(one, column), cell(other, column)));
  body.append(...rows);
}

function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.addEventListener("click", () => sort(table, heading, column));
    heading.replaceChildren(button);
  });
}

document.querySelectorAll("table[data-sorted]").forEach(makeSortable);

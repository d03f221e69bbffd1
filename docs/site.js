// What the theme leaves out for those who do not see the page, or have no mouse.
document$.subscribe(() => {
  const each = (query, change) => document.querySelectorAll(query).forEach(change);
  // wide tables are scrolled with the keyboard, too
  each(".md-typeset__scrollwrap", (found) => (found.tabIndex = 0));
  // an empty heading of a column is none
  each("th:empty", (found) => found.replaceWith(document.createElement("td")));
  // landmarks: one for each purpose, by different names
  each("nav.md-code__nav", (found) => found.setAttribute("role", "none"));
  each("nav.md-path", (found) => found.setAttribute("aria-label", "Where this page is"));
  each(".md-nav .md-nav[aria-labelledby]", (found) => {
    const label = document.getElementById(found.getAttribute("aria-labelledby"));
    found.removeAttribute("aria-labelledby");
    found.setAttribute("aria-label", `Pages of “${label.textContent.trim()}”`);
  });
});

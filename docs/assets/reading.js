/* Names and keys for what the theme's script makes: a screen reader needs the one, a reader
   without a mouse the other. And tables that fit a phone. Without JavaScript nothing is missing. */
(() => {
  const improve = () => {
    for (const search of document.querySelectorAll(".md-search[role=dialog]:not([aria-label])")) {
      search.setAttribute("aria-label", "Search");
    }
    // Around the buttons of each block of code is a <nav>, all of which have the same name: none.
    const all = [...document.querySelectorAll("nav.md-code__nav")];
    for (const buttons of document.querySelectorAll("nav.md-code__nav:not([aria-label])")) {
      buttons.setAttribute("aria-label", `Block of code ${all.indexOf(buttons) + 1}`);
    }
    // A section that is a page has its name in a link, which the theme does not name it after.
    for (const part of document.querySelectorAll("nav.md-nav[aria-labelledby]")) {
      if (!document.getElementById(part.getAttribute("aria-labelledby"))?.textContent.trim()) {
        part.removeAttribute("aria-labelledby");
        part.setAttribute("aria-label", part.querySelector(".md-nav__title")?.textContent.trim() ?? "");
      }
    }
    document.querySelectorAll(".md-typeset__scrollwrap:not(:has([role]))").forEach(describe);
    document.querySelectorAll(".md-typeset__scrollwrap").forEach(fit);
  };
  // A table that is drawn as a list still is a table for a screen reader.
  const describe = (wrap) => {
    const roles = { table: "table", "thead, tbody": "rowgroup", tr: "row", th: "columnheader", td: "cell" };
    for (const [tags, role] of Object.entries(roles)) {
      wrap.querySelectorAll(tags).forEach((tag) => tag.setAttribute("role", role));
    }
    const heads = [...wrap.querySelectorAll("thead th")].map((head) => head.textContent);
    for (const cell of wrap.querySelectorAll("tbody td")) {
      cell.dataset.head = heads[cell.cellIndex];
    }
  };
  // A table that is wider than a phone becomes a list; what still scrolls is reached with the Tab key.
  const fit = (wrap) => {
    const wide = () => wrap.scrollWidth > wrap.clientWidth;
    wrap.classList.remove("as-list");
    wrap.classList.toggle("as-list", innerWidth < 480 && !wrap.closest(".kernels, .proof") && wide());
    wide() ? wrap.setAttribute("tabindex", "0") : wrap.removeAttribute("tabindex");
  };
  // The first of each word that explains itself is reached with the Tab key; all would be too many.
  const explained = new Set();
  for (const word of document.querySelectorAll("article p abbr[title], article li abbr[title]")) {
    if (!explained.has(word.textContent) && !word.closest("a, .doc")) {
      explained.add(word.textContent);
      word.setAttribute("tabindex", "0");
    }
  }
  improve();
  // What was hidden has no width before it is opened.
  for (const event of ["resize", "toggle", "change"]) {
    addEventListener(event, improve, true);
  }
  new MutationObserver(improve).observe(document.body, { childList: true, subtree: true });
})();

/* Names and keys for what the theme's script makes: a screen reader needs the one, a reader
   without a mouse the other. Without JavaScript nothing of it is there, and nothing is missing. */
(() => {
  const improve = (root) => {
    for (const search of root.querySelectorAll(".md-search[role=dialog]:not([aria-label])")) {
      search.setAttribute("aria-label", "Search");
    }
    // Around the buttons of each block of code is a <nav>, all of which have the same name: none.
    for (const buttons of root.querySelectorAll("nav.md-code__nav:not([aria-label])")) {
      const all = [...document.querySelectorAll("nav.md-code__nav")];
      buttons.setAttribute("aria-label", `Block of code ${all.indexOf(buttons) + 1}`);
    }
    for (const wide of root.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) {
      wide.setAttribute("tabindex", "0");
    }
  };
  // The first of each word that explains itself is reached with the Tab key; all would be too many.
  const explained = new Set();
  for (const word of document.querySelectorAll("article p abbr[title], article li abbr[title]")) {
    if (!explained.has(word.textContent) && !word.closest("a, .doc")) {
      explained.add(word.textContent);
      word.setAttribute("tabindex", "0");
    }
  }
  improve(document);
  new MutationObserver(() => improve(document)).observe(document.body, {
    childList: true,
    subtree: true,
  });
})();

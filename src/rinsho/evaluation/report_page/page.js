// Language, and what the controls do.
function setLanguage(language) {
  root.dataset.shown = language;
  root.lang = language;
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
  for (const named of document.querySelectorAll("[data-name-ja]")) {
    named.setAttribute("aria-label", words(named.dataset.nameJa, named.dataset.nameEn));
  }
  fillFilters();
  showItems();
}

function refresh() {
  page = 0;
  showItems();
}

let waiting = 0;
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => setLanguage(button.dataset.language));
}
find("filter-benchmark").addEventListener("input", () => { pair = null; fillTags(); refresh(); });
for (const id of ["filter-system", "filter-state", "filter-tag"]) {
  find(id).addEventListener("input", refresh);
}
find("filter-words").addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(refresh, 150);
});
find("filter-pair").addEventListener("click", () => { pair = null; refresh(); });
find("open-all").addEventListener("click", () => {
  const lines = [...document.querySelectorAll("#item-list > .item")];
  const isOpening = lines.some((one) => !one.open);
  for (const one of lines) one.open = isOpening;
});
const turn = (to) => { page = to; showPage(); find("items").scrollIntoView(); };
find("page-back").addEventListener("click", () => turn(page - 1));
find("page-next").addEventListener("click", () => turn(page + 1));
find("page-number").addEventListener("change", (event) => turn(Number(event.target.value) - 1 || 0));
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-jump]");
  if (!link) return;
  event.preventDefault();
  jumpTo(link.dataset);
});
setLanguage((navigator.language || "ja").startsWith("ja") ? "ja" : "en");

// The list of items: filters, search, pages. Only the lines of one page are in the document.
const STATES = [
  ["all", "すべて", "all"], ["wrong", "誤り", "wrong"], ["right", "正解", "right"],
  ["invalid", "無効な回答", "invalid"], ["prohibited", "禁忌肢を選択", "prohibited choice"],
  ["long", "文脈長を超過", "too long"], ["differ", "システムで正誤が分かれる", "systems differ"],
];
const LINES = 50;
let page = 0;
let chosen = []; // what the filters leave; a page is a part of it
let pair = null; // one cell of a confusion table: benchmark, who, gold, read
const searchTexts = new WeakMap();

function fill(select, options) {
  const kept = select.value;
  select.replaceChildren(...options.map(([value, text]) => {
    const option = element("option", "", text);
    option.value = value;
    return option;
  }));
  select.value = options.some(([value]) => value === kept) ? kept : options[0][0];
}

function fillFilters() {
  const all = ["", words("すべて", "all")];
  const names = data.benchmarks.map((one, at) => [String(at), `${one.name} (${count(one.items.length)})`]);
  fill(find("filter-benchmark"), names.length > 1 ? [all, ...names] : names);
  const who = [...new Set(data.entries.map(whoOf))];
  fill(find("filter-system"), [all, ...who.map((one) => [one, one])]);
  fill(find("filter-state"), STATES.map(([value, ja, en]) => [value, words(ja, en)]));
  fillTags();
}

function fillTags() {
  const tags = new Set();
  for (const benchmark of shownBenchmarks()) {
    for (const item of benchmark.items) if (item.tag) tags.add(item.tag);
  }
  const names = [...tags].sort().slice(0, 200);
  fill(find("filter-tag"), [["", words("すべて", "all")], ...names.map((tag) => [tag, tag])]);
}

function shownBenchmarks() {
  const chosen = find("filter-benchmark").value;
  return chosen === "" ? data.benchmarks : [data.benchmarks[Number(chosen)]];
}

function isOf(answers, state) {
  if (state === "all") return true;
  if (state === "wrong") return answers.some((one) => one.right === false);
  if (state === "right") return answers.some((one) => one.right === true);
  if (state === "invalid") return answers.some((one) => one.invalid && !one.long);
  if (state === "prohibited") return answers.some((one) => one.prohibited);
  if (state === "long") return answers.some((one) => one.long);
  return isOf(answers, "right") && isOf(answers, "wrong");
}

function isPair(benchmark, item, answers) {
  return benchmark.name === pair.benchmark && (item.gold || []).join("") === pair.gold
    && answers.some((one) => whoOf(data.entries[one.by]) === pair.who
      && ((one.read || "").length === 1 ? one.read : "–") === pair.read);
}

const folded = (text) => text.normalize("NFKC").toLowerCase();

function searchText(item) {
  if (!searchTexts.has(item)) {
    const said = item.answers.flatMap((one) => [one.output || "", one.asked || ""]);
    const text = [item.id, item.tag || "", item.prompt || "", ...said].join("\n");
    searchTexts.set(item, folded(text));
  }
  return searchTexts.get(item);
}

function chosenItems() {
  const who = find("filter-system").value;
  const state = find("filter-state").value;
  const tag = find("filter-tag").value;
  const search = folded(find("filter-words").value.trim());
  const found = [];
  for (const benchmark of shownBenchmarks()) {
    for (const item of benchmark.items) {
      if (tag && item.tag !== tag) continue;
      const answers = who
        ? item.answers.filter((one) => whoOf(data.entries[one.by]) === who) : item.answers;
      if (!answers.length || !isOf(answers, state)) continue;
      if (pair && !isPair(benchmark, item, answers)) continue;
      if (search && !searchText(item).includes(search)) continue;
      found.push({ benchmark, item, answers });
    }
  }
  return found;
}

function showItems() {
  if (!data.benchmarks.length) return;
  chosen = chosenItems();
  showPage();
}

function showPage() {
  const nPages = Math.max(1, Math.ceil(chosen.length / LINES));
  page = Math.max(0, Math.min(page, nPages - 1));
  const shown = chosen.slice(page * LINES, (page + 1) * LINES).map(itemLine);
  find("item-list").replaceChildren(...shown);
  if (shown.length <= 3) for (const one of shown) one.open = true;
  showCount();
  find("page-number").value = String(page + 1);
  find("page-number").max = String(nPages);
  find("page-count").textContent = `/ ${count(nPages)}`;
  find("page-back").disabled = page === 0;
  find("page-next").disabled = page >= nPages - 1;
}

function showCount() {
  const benchmarks = shownBenchmarks();
  const total = benchmarks.reduce((sum, one) => sum + one.items.length, 0);
  const withheld = benchmarks.some((one) => one.withheld)
    ? words("　この報告は、一部またはすべての本文を載せていません。",
      "  The text of some or all of them is left out of this report.") : "";
  find("item-count").textContent = words(`${count(chosen.length)} / ${count(total)} 件`,
    `${count(chosen.length)} of ${count(total)} items`) + withheld;
  const chip = find("filter-pair");
  chip.hidden = pair === null;
  if (pair) {
    chip.textContent = words(`正解 ${pair.gold} → 読み取り ${pair.read}（${pair.who}） ✕`,
      `gold ${pair.gold} → read as ${pair.read} (${pair.who}) ✕`);
  }
}

// From a table to the items behind one of its figures.
function jumpTo({ benchmark, state, who, gold, read }) {
  const at = data.benchmarks.findIndex((one) => one.name === benchmark);
  if (at < 0) return;
  find("filter-benchmark").value = String(data.benchmarks.length > 1 ? at : 0);
  fillTags();
  find("filter-words").value = "";
  find("filter-system").value = who || "";
  find("filter-state").value = state || "all";
  pair = gold === undefined ? null : { benchmark, who, gold, read };
  page = 0;
  showItems();
  find("items").scrollIntoView();
  find("items").focus({ preventScroll: true });
}

"use strict";
// The per-item view. What models said is hostile: it becomes text nodes, never markup.
const root = document.documentElement;
const data = JSON.parse(document.getElementById("item-data").textContent);
const LABELS = {
  disease: "病名", symptom: "症状", drug: "薬剤", dose: "用量", test: "検査", value: "検査値",
  body_part: "部位",
};
const STATES = [
  ["all", "すべて", "all"], ["wrong", "誤り", "wrong"], ["right", "正解", "right"],
  ["invalid", "無効な回答", "invalid"], ["long", "文脈長を超過", "too long"],
];
const PAGE = 20;
let page = 0;

const element = (name, className, ...children) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
};
const words = (ja, en) => (root.dataset.shown === "ja" ? ja : en);
const find = (id) => document.getElementById(id);

function fill(select, options) {
  const kept = select.value;
  select.replaceChildren(...options.map(([value, text]) => {
    const option = element("option", "", text);
    option.value = value;
    return option;
  }));
  if (options.some(([value]) => value === kept)) select.value = kept;
}

function fillFilters() {
  fill(find("filter-benchmark"), data.benchmarks.map((one, place) => [String(place), one.name]));
  fill(find("filter-system"), [["", words("すべて", "all")], ...data.systems.map((s) => [s, s])]);
  fill(find("filter-state"), STATES.map(([value, ja, en]) => [value, words(ja, en)]));
}

function matches(answer, state) {
  if (state === "wrong") return answer.right === false;
  if (state === "right") return answer.right === true;
  if (state === "invalid") return !answer.valid && !answer.tooLong;
  return state === "long" ? answer.tooLong : true;
}

function chosenItems(benchmark) {
  const system = find("filter-system").value;
  const state = find("filter-state").value;
  const search = find("filter-words").value.trim().toLowerCase();
  return benchmark.items.map((item) => {
    const answers = item.answers.filter((a) => !system || a.system === system);
    const hit = answers.some((a) => matches(a, state));
    const text = [item.id, item.tag, item.prompt || "", ...answers.map((a) => a.output || "")];
    const said = !search || text.join("\n").toLowerCase().includes(search);
    return hit && said ? { item, answers } : null;
  }).filter(Boolean);
}

// Offsets are Unicode code points; JavaScript counts UTF-16 units.
function highlighted(text, spans, others) {
  const points = Array.from(text);
  const known = new Set(others.map(String));
  const box = element("div", "note");
  let at = 0;
  for (const [start, end, label, certainty] of spans) {
    if (start < at) continue;
    box.append(points.slice(at, start).join(""));
    const off = known.has(String([start, end, label, certainty])) ? "" : " off";
    const mark = element("mark", `${label} ${certainty}${off}`, points.slice(start, end).join(""));
    mark.title = `${label} · ${certainty}`;
    box.append(mark);
    at = end;
  }
  box.append(points.slice(at).join(""));
  return box;
}

function chips(list, others) {
  const known = others && new Set(others.map((one) => one.normalize("NFKC").trim()));
  const box = element("div", "");
  for (const one of list) {
    const hit = known ? (known.has(one.normalize("NFKC").trim()) ? " hit" : " miss") : "";
    box.append(element("span", `chip${hit}`, one));
  }
  if (!list.length) box.append(words("（なし）", "(none)"));
  return box;
}

function line(who, how, ...content) {
  const name = element("div", "who", element("b", "", who), how);
  return element("div", "row", name, element("div", "", ...content));
}

function verdict(answer) {
  const box = element("span", "");
  if (answer.tooLong) box.append(element("span", "bad", words("文脈長を超過 ", "too long ")));
  else if (!answer.valid) box.append(element("span", "bad", words("無効 ", "invalid ")));
  if (answer.right !== null) {
    const kind = answer.right ? "right" : "wrong";
    box.append(element("span", `mark ${kind}`, answer.right ? "○ " : "× "));
  }
  return box;
}

function answerLine(item, answer, form) {
  const parts = [verdict(answer)];
  if (form === "spans" && answer.spans && item.prompt !== undefined) {
    parts.push(`F1 ${answer.score.toFixed(3)}`);
    parts.push(highlighted(item.prompt, answer.spans, item.goldSpans));
  } else if (form === "entities" && answer.prediction) {
    parts.push(`F1 ${answer.score.toFixed(3)} `, chips(answer.prediction, item.gold));
  } else if (form === "text") {
    parts.push(`${answer.score.toFixed(3)} bits per byte`);
  } else if (answer.prediction) {
    parts.push(element("b", "", answer.prediction.join(", ") || "–"));
    if (answer.logLikelihoods && answer.logLikelihoods.length) {
      const scores = answer.logLikelihoods.map((v, at) => `${"ABCDEFGH"[at]} ${v.toFixed(2)}`);
      parts.push(element("div", "said", scores.join("   ")));
    }
  }
  if (answer.output !== undefined) parts.push(element("div", "said", answer.output));
  return line(answer.system, answer.method, ...parts);
}

function itemBlock(benchmark, { item, answers }) {
  const head = element("div", "item-head", element("code", "", item.id));
  if (item.tag) head.append(element("span", "tag", item.tag));
  const box = element("div", "item", head);
  const gold = words("正解", "Gold");
  if (benchmark.form === "spans" && item.goldSpans) {
    const isAlone = answers.length === 1;
    const covered = isAlone ? answers[0].spans : item.goldSpans;
    box.append(line(gold, isAlone ? words("枠は見逃し", "framed: missed") : "",
      highlighted(item.prompt, item.goldSpans, covered)));
  } else {
    if (item.prompt !== undefined) box.append(element("pre", "prompt", item.prompt));
    if (item.gold) box.append(line(gold, "", chips(item.gold)));
  }
  box.append(...answers.map((answer) => answerLine(item, answer, benchmark.form)));
  return box;
}

function showItems() {
  const benchmark = data.benchmarks[Number(find("filter-benchmark").value)];
  if (!benchmark) return;
  const chosen = chosenItems(benchmark);
  const nPages = Math.max(1, Math.ceil(chosen.length / PAGE));
  page = Math.min(page, nPages - 1);
  const withheld = benchmark.withheld
    ? words("　本文は利用条件により載せていません。", "  Its terms keep its text out of this report.") : "";
  find("item-count").textContent = words(`${chosen.length} / ${benchmark.items.length} 件`,
    `${chosen.length} of ${benchmark.items.length} items`) + withheld;
  find("item-list").replaceChildren(
    ...chosen.slice(page * PAGE, (page + 1) * PAGE).map((one) => itemBlock(benchmark, one)));
  find("page-number").textContent = `${page + 1} / ${nPages}`;
  find("page-back").disabled = page === 0;
  find("page-next").disabled = page >= nPages - 1;
  showLegend(benchmark.form === "spans");
}

function showLegend(isShown) {
  const legend = find("span-legend");
  legend.hidden = !isShown;
  const labels = Object.entries(LABELS).map(([label, ja]) =>
    element("mark", label, words(ja, label.replace("_", " "))));
  const certainties = [["negated", "否定"], ["suspected", "疑い"], ["off", "不一致"]].map(
    ([kind, ja]) => element("mark", kind, words(ja, kind === "off" ? "differs" : kind)));
  legend.replaceChildren(...labels, ...certainties);
}

function setLanguage(language) {
  root.dataset.shown = language;
  root.lang = language;
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
  fillFilters();
  showItems();
}

for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => setLanguage(button.dataset.language));
}
for (const id of ["filter-benchmark", "filter-system", "filter-state", "filter-words"]) {
  find(id).addEventListener("input", () => { page = 0; showItems(); });
}
const turn = (by) => { page += by; showItems(); find("items").scrollIntoView(); };
find("page-back").addEventListener("click", () => turn(-1));
find("page-next").addEventListener("click", () => turn(1));
setLanguage((navigator.language || "ja").startsWith("ja") ? "ja" : "en");

// One item: a line that tells how it went, and everything about it once it is opened.
const LABELS = {
  disease: "病名", symptom: "症状", drug: "薬剤", dose: "用量", test: "検査", value: "検査値",
  body_part: "部位", procedure: "処置・手術", time: "時間",
};
const LETTERS = "ABCDEFGH";

function verdictOf(answer) {
  if (answer.long) return ["bad", "…", words("文脈長を超過", "too long")];
  if (answer.prohibited) return ["bad", "禁", words("禁忌肢を選択", "prohibited choice")];
  if (answer.invalid) return ["bad", "？", words("無効", "invalid")];
  if (!answer.right && answer.score > 0 && answer.right !== undefined) {
    return ["part", answer.score.toFixed(2).slice(1), words("一部が正解", "partly right")];
  }
  if (answer.right === undefined) return ["", "–", words("採点なし", "not marked")];
  return answer.right ? ["right", "○", words("正解", "right")] : ["wrong", "×", words("誤り", "wrong")];
}

function markOf(answer) {
  const entry = data.entries[answer.by];
  const [kind, sign, name] = verdictOf(answer);
  const box = image(`sign ${kind}`, sign, `${whoOf(entry)}: ${name}`);
  box.classList.add(`edge-${entry.color % 8}`);
  return box;
}

// What tells items apart: the document where a question stands before it.
function snippetOf(item) {
  const text = item.prompt || "";
  const at = text.search(/\n(「|S1: )/);
  return (at < 0 ? text.replace(/^(質問|問題|Question): /, "") : text.slice(at + 1)).slice(0, 120);
}

function itemLine({ benchmark, item, answers }) {
  const head = element("summary", "", element("code", "", item.id));
  if (item.tag) head.append(element("span", "tag", item.tag));
  head.append(element("span", "snippet", snippetOf(item)), element("span", "signs", ...answers.map(markOf)));
  const box = element("details", "item", head);
  box.addEventListener("toggle", () => {
    if (box.open && box.children.length === 1) box.append(itemBody(benchmark, item, answers));
  });
  return box;
}

function itemBody(benchmark, item, answers) {
  const form = item.form || benchmark.form;
  const body = element("div", "item-body");
  if (form === "spans" && item.goldSpans) body.append(goldNote(item, answers));
  else if (item.prompt !== undefined) body.append(...promptOf(benchmark, item, form, answers));
  if (item.gold && item.gold.length) body.append(line(words("正解", "Gold"), "", goldChips(item)));
  else if (form === "entities" && item.prompt) body.append(line(words("正解", "Gold"), "", none()));
  if (item.excluded) {
    body.append(line(words("除外", "Left out"), "corrected", element("span", "", item.excluded)));
  }
  body.append(...answers.map((answer) => answerLine(item, answer, form)));
  return body;
}

const none = () => element("span", "soft", words("（なし）", "(none)"));

function line(who, how, ...content) {
  const name = element("div", "who", element("b", "", who), how);
  return element("div", "row", name, element("div", "", ...content));
}

function goldChips(item) {
  const box = element("div", "", ...item.gold.map((one) => element("span", "chip hit", one)));
  for (const other of item.also || []) {
    box.append(element("span", "chip hit", `${words("または", "or")} ${other.join(", ")}`));
  }
  if (item.prohibited) {
    const name = words("禁忌肢", "prohibited");
    box.append(element("span", "chip miss", `${name} ${item.prohibited.join(", ")}`));
  }
  return box;
}

// ----------------------------------------------------------------------------- prompts

function promptOf(benchmark, item, form, answers) {
  const parts = [];
  const instruction = benchmark.instructions[item.instruction];
  if (instruction) parts.push(fold("指示文", "Instruction", element("pre", "", instruction)));
  const box = scrolling("prompt");
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", words("問題文", "Prompt"));
  if (form === "choice" || form === "similarity") box.append(...choiceParts(item));
  else if (form === "entities") box.append(...entityParts(item, answers));
  else box.append(item.prompt);
  parts.push(box);
  if (form === "entities") parts.push(entityLegend(answers.length === 1));
  return parts;
}

// The lines of the right and of the prohibited options stand out.
function choiceParts(item) {
  const cuts = [];
  const cut = (letter, kind) => {
    const at = item.prompt.lastIndexOf(`\n${letter}. `);
    if (at < 0) return;
    const end = item.prompt.indexOf("\n", at + 1);
    cuts.push([at + 1, end < 0 ? item.prompt.length : end, kind]);
  };
  (item.gold || []).forEach((letter) => cut(letter, "gold"));
  (item.prohibited || []).forEach((letter) => cut(letter, "never"));
  return marked(item.prompt, cuts);
}

function marked(text, cuts) {
  const parts = [];
  let at = 0;
  for (const [start, end, kind] of cuts.sort((one, other) => one[0] - other[0])) {
    if (start < at) continue;
    parts.push(text.slice(at, start), element("mark", kind, text.slice(start, end)));
    at = end;
  }
  return [...parts, text.slice(at)];
}

const plain = (text) => text.normalize("NFKC").trim();

function entityParts(item, answers) {
  const isAlone = answers.length === 1;
  const found = new Set(isAlone ? (answers[0].list || []).map(plain) : []);
  const gold = new Set((item.gold || []).map(plain));
  const cuts = [];
  let at = Math.max(0, item.prompt.indexOf("「"));
  for (const one of item.gold || []) {
    let start = item.prompt.indexOf(one, at);
    if (start < 0) start = item.prompt.indexOf(one);
    if (start < 0) continue;
    const kind = isAlone && !found.has(plain(one)) ? "missed" : "gold";
    cuts.push([start, start + one.length, kind]);
    at = start + one.length;
  }
  for (const one of isAlone ? answers[0].list || [] : []) {
    const start = item.prompt.lastIndexOf(one);
    const isTaken = cuts.some(([from, to]) => start < to && from < start + one.length);
    if (one && start >= 0 && !gold.has(plain(one)) && !isTaken) {
      cuts.push([start, start + one.length, "extra"]);
    }
  }
  return marked(item.prompt, cuts);
}

function entityLegend(isAlone) {
  const kinds = isAlone
    ? [["gold", words("正解", "found")], ["missed", words("見逃し", "missed")],
      ["extra", words("余分", "not in gold")]]
    : [["gold", words("正解の語", "gold")]];
  return element("div", "legend", ...kinds.map(([kind, name]) => element("mark", kind, name)));
}

// ------------------------------------------------------------------------------- spans

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

function goldNote(item, answers) {
  const isAlone = answers.length === 1;
  const covered = isAlone ? answers[0].spans || [] : item.goldSpans;
  return element("div", "", spanLegend(), line(words("正解", "Gold"),
    isAlone ? words("枠は見逃し", "framed: missed") : "",
    highlighted(item.prompt, item.goldSpans, covered)));
}

function spanLegend() {
  const labels = Object.entries(LABELS).map(([label, ja]) =>
    element("mark", label, words(ja, label.replace("_", " "))));
  const certainties = [
    ["negated", "否定"], ["suspected", "疑い"], ["family", "家族"], ["past", "既往"], ["off", "不一致"],
  ].map(
    ([kind, ja]) => element("mark", kind, words(ja, kind === "off" ? "differs" : kind)));
  return element("div", "legend", ...labels, ...certainties);
}

// ----------------------------------------------------------------------------- answers

function answerLine(item, answer, form) {
  const entry = data.entries[answer.by];
  const parts = [verdictLine(answer)];
  if (form === "spans" && item.goldSpans) {
    parts.push(`F1 ${(answer.score || 0).toFixed(3)}`,
      highlighted(item.prompt, answer.spans || [], item.goldSpans));
  } else if (form === "text") {
    parts.push(`${answer.score.toFixed(3)} bits per byte`);
  } else if (answer.list || form === "entities") {
    if (answer.score !== undefined) parts.push(`F1 ${answer.score.toFixed(3)} `);
    if (answer.list) parts.push(foundChips(answer.list, item.gold || []));
  } else if (answer.read || answer.invalid) {
    parts.push(words("読み取り: ", "read as "), element("b", "", answer.read || "–"));
    if (answer.loose) parts.push(element("span", "soft", words("（指示どおりの形ではない）", " (not in the form asked for)")));
  }
  if (answer.logLikelihoods) parts.push(likelihoods(answer.logLikelihoods));
  if (answer.output !== undefined) {
    parts.push(scrolling("said", answer.output + (answer.cut ? " …" : "")));
  }
  if (answer.asked !== undefined) {
    const prompt = (entry.head || "") + answer.asked + (entry.tail || "");
    parts.push(fold("この回答を求めた文", "What was asked here", element("pre", "", prompt)));
  }
  return line(entry.system, entry.method, ...parts);
}

function verdictLine(answer) {
  const [kind, sign, name] = verdictOf(answer);
  const box = element("span", `verdict ${kind}`, `${sign} ${name} `);
  if (answer.open) box.append(words("（思考が終わっていません）", "(still thinking at its end) "));
  if (answer.prohibited && answer.right === false) box.append(words("・誤り ", "· wrong "));
  return box;
}

function foundChips(list, others) {
  const known = new Set(others.map(plain));
  return element("div", "", ...list.map((one) =>
    element("span", `chip ${known.has(plain(one)) ? "hit" : "miss"}`, one)));
}

// Shares of the letters, as the model weighs them against one another.
function likelihoods(values) {
  const best = Math.max(...values);
  const weights = values.map((value) => Math.exp(value - best));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return element("div", "shares", ...values.map((value, at) => {
    const share = weights[at] / total;
    const bar = element("span", "share-bar");
    bar.style.width = `${(4 * share).toFixed(2)}rem`;
    const text = `${LETTERS[at]} ${(100 * share).toFixed(0)}% `;
    const box = element("span", "share", text, bar);
    box.title = `${value.toFixed(2)} nats`;
    return box;
  }));
}

// Which drug is said to have caused which event: in the table, lit up together, and corrected.

const CAUSED = "caused";
const EVENTS = new Set(["disease", "symptom"]);
const MAX_BETWEEN = 150; // characters between a drug and its event, as the server asks about them

/** Ask for relations too, where the server has weights for them and the note has not too many pairs. */
export async function withRelations(server, ask) {
  if (!server?.relations) return ask({});
  try {
    return await ask({ relations: true });
  } catch (problem) {
    if (problem.fields?.code !== "S003") throw problem;
    return ask({});
  }
}

/** Return relations between spans, whose places change; null where nobody looked for any. */
export function toSpans(rows, spans) {
  return rows?.map((row) => ({ ...row, head: spans[row.head], tail: spans[row.tail] })) ?? null;
}

/** Return relations by the places of their spans, as files have them; undefined for null. */
export function toPlaces(relations, spans) {
  return relations?.map((one) => (
    { ...one, head: spans.indexOf(one.head), tail: spans.indexOf(one.tail) }));
}

/** Return the drugs that are said to have caused an event. */
export function causesOf(relations, span) {
  return (relations ?? []).filter(({ kind, tail }) => kind === CAUSED && tail === span)
    .map(({ head }) => head);
}

/** Return what the CSV says about a span, in the form of `extract --as csv`. */
export function toCell(relations, span) {
  return relations.filter(({ tail }) => tail === span)
    .map(({ kind, head }) => `${kind} ${head.start}-${head.end} ${head.text}`).join("; ");
}

/** Return the relations among spans after one of them (`from`) has become another, or is gone. */
export function moved(relations, spans, from, to) {
  const follow = (span) => (span === from ? to : span);
  return relations
    ?.map((one) => ({ ...one, head: follow(one.head), tail: follow(one.tail) }))
    .filter(({ head, tail }) => spans.includes(head) && spans.includes(tail))
    .filter(({ kind, head, tail }) => kind !== CAUSED || (head !== to && tail !== to)
      || (head.label === "drug" && canBeCaused(tail))) ?? null;
}

const canBeCaused = ({ label, certainty }) => EVENTS.has(label) && certainty !== "negated";

/** Return the relations where exactly these drugs caused an event. */
export function withCauses(relations, span, drugs) {
  const others = relations.filter(({ kind, tail }) => kind !== CAUSED || tail !== span);
  return [...others, ...drugs.map((head) => ({ kind: CAUSED, head, tail: span }))];
}

/** Light up the marks and rows of what a span is related to. */
export function linkRelated(root, index, result) {
  for (const lit of root.querySelectorAll(".is-related")) lit.classList.remove("is-related");
  const span = index === null ? undefined : result?.spans[index];
  for (const { head, tail } of result?.relations ?? []) {
    if (head !== span && tail !== span) continue;
    const partner = result.spans.indexOf(head === span ? tail : head);
    for (const one of root.querySelectorAll(`[data-index="${partner}"]`)) one.classList.add("is-related");
  }
}

/** Offer the drugs near an event to choose from, in a group that is hidden where there are none. */
export function showChoices(group, result, chosen, { label, certainty }) {
  const { spans, relations } = result;
  const causes = new Set(causesOf(relations, chosen));
  const isNear = ({ start, end }) => (
    Math.max(start - chosen.end, chosen.start - end) <= MAX_BETWEEN);
  const drugs = spans.filter((one) => one.label === "drug" && one !== chosen
    && (isNear(one) || causes.has(one)));
  group.hidden = relations === null || drugs.length === 0 || !canBeCaused({ label, certainty });
  group.replaceChildren(group.firstElementChild, ...drugs.map((drug) => {
    const [choice, box] = [document.createElement("label"), document.createElement("input")];
    Object.assign(box, { type: "checkbox", checked: causes.has(drug), value: spans.indexOf(drug) });
    choice.append(box, ` ${drug.text} `, Object.assign(document.createElement("span"), {
      className: "quiet", textContent: `${drug.start}–${drug.end}` }));
    return choice;
  }));
}

/** Return the drugs that are chosen in such a group. */
export function choicesOf(group, spans) {
  if (group.hidden) return [];
  return [...group.querySelectorAll("input:checked")].map(({ value }) => spans[value]);
}

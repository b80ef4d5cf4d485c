// Spans on the page. The API counts Unicode code points, JavaScript UTF-16 units: convert first.

import { causesOf, toCell } from "/relations.js";

export const LABELS = ["disease", "symptom", "drug", "dose", "test", "value", "body_part", "procedure", "time"];
export const CERTAINTIES = ["present", "negated", "suspected", "family", "past"];
export const MAX_SHOWN = 3000; // more marks make a browser slow; the CSV has all
const HAS_CERTAINTY = new Set(["disease", "symptom"]);

/** Return the UTF-16 offset of every code point, and of the end. */
export function utf16Offsets(text) {
  const offsets = [];
  let at = 0;
  for (const character of text) {
    offsets.push(at);
    at += character.length;
  }
  offsets.push(at);
  return offsets;
}

/** Return the words beside a mark: its label, and its certainty unless it is plainly present. */
function tagOf(span, texts) {
  const label = texts.labels[span.label] ?? span.label;
  if (span.certainty === "present") return label;
  return `${label}・${texts.certainties[span.certainty] ?? span.certainty}`;
}

function markOf(span, index, texts) {
  const mark = document.createElement("mark");
  mark.dataset.index = String(index);
  mark.dataset.label = span.label;
  mark.dataset.certainty = span.certainty;
  mark.dataset.tag = tagOf(span, texts);
  mark.title = mark.dataset.tag;
  mark.tabIndex = -1; // arrow keys move between marks; one of them is in the tab order
  return mark;
}

/** Put the note with its marks into an element; as text, so that markup in it stays text. */
export function showNote(element, text, spans, texts) {
  const offsets = utf16Offsets(text);
  const shown = spans.slice(0, MAX_SHOWN).map((span, index) => ({ ...span, index }));
  shown.sort((a, b) => a.start - b.start || b.end - a.end);
  element.replaceChildren();
  fill(element, { text, offsets, texts, shown }, 0, offsets.length - 1);
  const first = element.querySelector("mark");
  if (first) first.tabIndex = 0;
}

/** Fill an element with a part of the text; marks in marks, where one lies in another. */
function fill(parent, page, start, end) {
  const { text, offsets, texts, shown } = page;
  let at = start; // in code points
  while (shown.length > 0 && shown[0].start < end) {
    const span = shown.shift();
    if (span.start < at || span.end > end) continue; // crosses another: it stands in the table alone
    parent.append(text.slice(offsets[at], offsets[span.start]));
    const mark = markOf(span, span.index, texts);
    fill(mark, page, span.start, span.end);
    parent.append(mark);
    at = span.end;
  }
  parent.append(text.slice(offsets[at], offsets[end]));
}

function cell(...content) {
  const td = document.createElement("td");
  td.append(...content);
  return td;
}

function element(name, className, data, text) {
  const made = document.createElement(name);
  made.className = className;
  Object.assign(made.dataset, data);
  made.textContent = text;
  return made;
}

function rowOf(span, index, texts, relations) {
  const row = document.createElement("tr");
  row.dataset.index = String(index);
  const words = element("button", "", {}, span.text);
  words.type = "button";
  const chip = element("span", "chip", { label: span.label }, texts.labels[span.label] ?? span.label);
  const certainty = HAS_CERTAINTY.has(span.label)
    ? element("span", "key", { certainty: span.certainty }, texts.certainties[span.certainty])
    : "–";
  const place = cell(`${span.start}–${span.end}`);
  place.className = "number";
  row.append(cell(words), cell(chip), cell(certainty), place);
  if (relations) row.append(cell(causesOf(relations, span).map(({ text }) => text).join("、")));
  return row;
}

/** Fill the table; with a column for relations, where they were looked for. */
export function showRows(body, spans, texts, relations) {
  body.replaceChildren(
    ...spans.slice(0, MAX_SHOWN).map((span, i) => rowOf(span, i, texts, relations)));
}

/** Show what the colours and lines mean, with how many there are of each. */
export function showLegend(list, spans, texts) {
  const items = LABELS.map((label) => {
    const n = spans.filter((span) => span.label === label).length;
    const item = document.createElement("li");
    const name = element("span", "", { label }, `${texts.labels[label]} `);
    name.append(element("b", "", {}, String(n)));
    item.append(name);
    return item;
  });
  const keys = CERTAINTIES.map((certainty) => {
    const item = document.createElement("li");
    item.append(element("span", "key", { certainty }, texts.certainties[certainty]));
    return item;
  });
  const lineBreak = element("li", "break", {}, "");
  lineBreak.ariaHidden = "true";
  list.replaceChildren(...items, lineBreak, ...keys);
}

/** Light up the mark and the row of one span; all go dark for null. */
export function link(root, index) {
  for (const lit of root.querySelectorAll(".is-linked")) lit.classList.remove("is-linked");
  if (index === null) return;
  for (const one of root.querySelectorAll(`[data-index="${index}"]`)) one.classList.add("is-linked");
}

// A spreadsheet runs a cell that begins like a formula; a plain number is none.
function safeCell(text) {
  const isFormula = /^[=+\-@\t\r]/.test(text) && !/^[+-]?[\d.,]+%?$/.test(text);
  return isFormula ? `'${text}` : text;
}

/** Return the spans as CSV (RFC 4180); offsets in code points of the note. */
export function toCsv(spans, relations) {
  const quote = (text) => `"${safeCell(text).replaceAll('"', '""')}"`;
  const related = (span) => (relations ? [quote(toCell(relations, span))] : []);
  const lines = spans.map((s) => (
    [s.start, s.end, s.label, s.certainty, quote(s.text), ...related(s)].join(",")));
  const columns = `start,end,label,certainty,text${relations ? ",relations" : ""}`;
  return [columns, ...lines, ""].join("\r\n");
}

// A person corrects mentions: another label, another certainty, gone, or one that was missed.

import { choicesOf, moved, showChoices, withCauses } from "/relations.js";
import { CERTAINTIES, LABELS, utf16Offsets } from "/spans.js";

const get = (id) => document.getElementById(id);
const HAS_CERTAINTY = new Set(["disease", "symptom"]);

/** Wire corrections up; `onChange` is called when the spans are other ones. */
export function setUpCorrections(state, texts, onChange) {
  let chosen = null; // the span that is being changed, or a new one: { start, end }

  function options(select, names, known) {
    const before = select.value;
    select.replaceChildren(...names.map((name) => {
      const option = document.createElement("option");
      option.value = name;
      option.textContent = known[name];
      return option;
    }));
    select.value = before || names[0];
  }

  function show() {
    options(get("correct-label"), LABELS, texts().labels);
    options(get("correct-certainty"), CERTAINTIES, texts().certainties);
    get("correct").hidden = chosen === null;
    get("correct-help").hidden = state.result === null;
    if (chosen === null) return;
    get("correct-words").textContent = `「${wordsOf(chosen)}」`;
    get("correct-remove").hidden = chosen.label === undefined;
  }

  function wordsOf({ start, end }) {
    const offsets = utf16Offsets(state.result.text);
    return state.result.text.slice(offsets[start], offsets[end]);
  }

  function choose(span) {
    chosen = span;
    show();
    if (span.label !== undefined) {
      get("correct-label").value = span.label;
      get("correct-certainty").value = span.certainty;
    }
    showCauses();
    get("correct").scrollIntoView({ block: "nearest" });
  }

  function showCauses() {
    const [label, certainty] = [get("correct-label").value, get("correct-certainty").value];
    showChoices(get("correct-causes"), state.result, chosen, { label, certainty });
  }

  /** Return the code points of what is selected in the text that is read, or null. */
  function selected() {
    const selection = getSelection();
    const reading = get("reading");
    if (!state.result || selection.isCollapsed || !reading.contains(selection.anchorNode)) return null;
    if (!reading.contains(selection.focusNode)) return null;
    const range = selection.getRangeAt(0);
    const before = document.createRange();
    before.setStart(reading, 0);
    before.setEnd(range.startContainer, range.startOffset);
    const start = [...before.toString()].length;
    const end = start + [...range.toString()].length;
    return end > start ? { start, end } : null;
  }

  function change(spans, relations = moved(state.result.relations, spans)) {
    state.result.spans = spans.sort((a, b) => a.start - b.start || a.end - b.end);
    state.result.relations = relations;
    Object.assign(state.result, { isCorrected: true, isChecked: false });
    chosen = null;
    onChange();
  }

  function set() {
    const label = get("correct-label").value;
    const certainty = HAS_CERTAINTY.has(label) ? get("correct-certainty").value : "present";
    const { start, end } = chosen;
    const span = { start, end, label, certainty, text: wordsOf(chosen) };
    const drugs = choicesOf(get("correct-causes"), state.result.spans);
    const spans = [...state.result.spans.filter((one) => one !== chosen), span];
    const relations = moved(state.result.relations, spans, chosen, span);
    change(spans, relations && withCauses(relations, span, drugs));
  }

  get("reading").addEventListener("mouseup", () => {
    const span = selected();
    if (span) choose(span);
  });
  get("reading").addEventListener("click", (event) => {
    const index = event.target.closest?.("mark")?.dataset.index;
    if (index !== undefined && getSelection().isCollapsed) choose(state.result.spans[index]);
  });
  get("reading").addEventListener("keydown", (event) => {
    const index = event.target.closest?.("mark")?.dataset.index;
    if (index === undefined) return;
    if (event.key === "Enter") choose(state.result.spans[index]);
    if (event.key === "Delete") change(state.result.spans.filter((_, i) => i !== Number(index)));
  });
  for (const id of ["correct-label", "correct-certainty"]) {
    get(id).addEventListener("change", showCauses);
  }
  get("correct-set").addEventListener("click", set);
  get("correct-remove").addEventListener("click", () => {
    change(state.result.spans.filter((one) => one !== chosen));
  });
  get("correct-close").addEventListener("click", () => { chosen = null; show(); });
  return { show, forget: () => { chosen = null; } };
}

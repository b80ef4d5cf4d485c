// Notes that a person has checked: kept in this page alone until they are saved as training data;
// and a file of notes, to go through one after another.

import { notesOf } from "/files.js";
import { toPlaces } from "/relations.js";
import { problemText, saveFile } from "/server.js";

const get = (id) => document.getElementById(id);

/** Wire the list up; `open` shows a note as it has been checked, and extracts else. */
export function setUpCorrected(state, texts, open) {
  const checked = new Map(); // by text: a note that is corrected again replaces itself
  const queue = { notes: [], at: 0, problem: null };
  let isSaved = true;

  // A text field has line feeds alone, and no halves of characters: offsets count those.
  const asShown = ({ text, ...note }) => (
    { ...note, text: String(text ?? "").replace(/\r\n?/g, "\n").toWellFormed() });

  const opened = () => queue.notes[queue.at];

  function show() {
    const { result } = state;
    const isStale = result !== null && get("note").value !== result.text;
    get("corrected").hidden = result === null || result.answers.length > 0;
    get("corrected-keep").disabled = isStale || state.work.isOn;
    get("corrected-save").hidden = checked.size === 0 && !result?.isCorrected;
    get("corrected-count").textContent = checked.size ? texts().correctedCount(checked.size) : "";
    get("corrected-is-kept").hidden = !result?.isChecked;
    get("queue-place").textContent = queue.problem ? problemText(queue.problem, state.language, texts())
      : queue.notes.length ? texts().queuePlace(queue.at + 1, queue.notes.length) : "";
    get("queue-moves").hidden = queue.notes.length === 0;
    get("queue-back").disabled = queue.at === 0;
    get("queue-on").disabled = queue.at + 1 >= queue.notes.length;
  }

  function keep() {
    const { text, spans, relations: related } = state.result;
    const relations = toPlaces(related, spans);
    const note = opened()?.text === text ? opened() : {};
    const group = get("corrected-group").value.trim() || undefined;
    checked.delete(text);
    const copies = spans.map((span) => ({ ...span }));
    checked.set(text, { id: note.id, text, group, spans: copies, relations });
    Object.assign(state.result, { isCorrected: false, isChecked: true });
    isSaved = false;
  }

  function save() {
    if (state.result?.isCorrected) keep();
    const lines = [...checked.values()].map(({ spans, relations, ...note }) => JSON.stringify({
      ...note,
      spans: spans.map(({ start, end, label, certainty }) => ({ start, end, label, certainty })),
      relations,
    }));
    saveFile("corrections.jsonl", "application/jsonl", `${lines.join("\n")}\n`);
    isSaved = true;
    show();
  }

  function go(at) {
    if (state.work.isOn) return;
    queue.at = at;
    const { text, group } = opened();
    get("corrected-group").value = group ?? "";
    open(text, checked.get(text));
  }

  get("corrected-keep").addEventListener("click", () => {
    keep();
    if (opened()?.text === state.result.text && queue.at + 1 < queue.notes.length) go(queue.at + 1);
    else show();
  });
  get("corrected-save").addEventListener("click", save);
  get("queue-back").addEventListener("click", () => go(queue.at - 1));
  get("queue-on").addEventListener("click", () => go(queue.at + 1));
  get("queue-files").addEventListener("change", async () => {
    queue.problem = null;
    try {
      queue.notes = (await notesOf(get("queue-files").files)).map(asShown).filter(({ text }) => text);
    } catch (problem) {
      Object.assign(queue, { notes: [], problem });
    }
    if (queue.notes.length > 0) go(0);
    else show();
  });
  addEventListener("beforeunload", (event) => {
    if (!isSaved) event.preventDefault();
  });
  return { show };
}

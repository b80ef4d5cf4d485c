// A letter from the notes of one patient: every line says which note and line it is from.

import { copyText, post, saveFile } from "/server.js";
import { Work } from "/work.js";

const get = (id) => document.getElementById(id);
const BETWEEN = /^-{3,}(?:\n|$)/m;

/** Wire the screen up; return what redraws it in the page's language. */
export function setUpDrafting(state, texts) {
  const made = { draft: null, notes: [], from: "", hasNoNotes: false };
  const work = new Work("draft", state, texts, show);

  const input = () => `${get("draft-form").value}\n${get("draft-notes").value}`;
  const isStale = () => made.draft !== null && input() !== made.from;

  function sourceButton([note, line]) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "source";
    button.textContent = `[${note}:${line}]`;
    button.title = texts().source(note, line);
    button.addEventListener("click", () => {
      // The place of the line in the box: whole notes before it, and what separates them.
      if (isStale()) return;
      const area = get("draft-notes");
      const note0 = made.notes[note - 1];
      const start = note0.start + note0.text.split("\n").slice(0, line - 1).join("\n").length + (line > 1);
      const words = note0.text.split("\n")[line - 1];
      area.focus();
      area.setSelectionRange(start, start + words.length);
    });
    return button;
  }

  function lineOf(line) {
    const item = document.createElement("li");
    item.append(line.text, " ", ...line.sources.map(sourceButton));
    if (line.unsupported.length > 0) {
      const doubt = document.createElement("strong");
      doubt.className = "doubt";
      doubt.textContent = texts().doubt(line.unsupported.map(([, words]) => words).join("、"));
      item.append(" ", doubt);
    }
    return item;
  }

  function sectionOf(section) {
    const [box, title, list] = ["section", "h3", "ul"].map((name) => document.createElement(name));
    title.textContent = section.title;
    list.append(...section.lines.map(lineOf));
    box.append(title, list);
    if (section.lines.length === 0) {
      const none = document.createElement("p");
      none.className = "quiet";
      none.textContent = texts().noLine;
      box.append(none);
    }
    return box;
  }

  function statusText() {
    if (made.hasNoNotes) return texts().noNotes;
    const said = work.text(texts().drafting);
    if (said) return said;
    return isStale() ? texts().staleDraft : "";
  }

  function showStatus() {
    get("draft-status").textContent = statusText();
    get("draft-status").classList.toggle("bad", work.isBad);
    get("draft-status").classList.toggle("stale", isStale() && !work.isBad && !work.isOn);
    get("draft-sections").classList.toggle("stale", isStale());
  }

  function show() {
    get("draft-model").hidden = !state.server?.chat_model;
    showStatus();
    get("drafted").hidden = made.draft === null;
    get("draft-sections").replaceChildren(...(made.draft?.sections ?? []).map(sectionOf));
    get("draft-make").disabled = work.isOn;
    get("draft-card").setAttribute("aria-busy", String(work.isOn));
  }

  /** Return the notes with the place where each begins in the box. */
  function notesOf(text) {
    const notes = [];
    let start = 0;
    let rest = text;
    for (;;) {
      const match = BETWEEN.exec(rest);
      const end = match ? match.index : rest.length;
      notes.push({ text: rest.slice(0, end), start });
      if (!match) return notes.filter((note) => note.text.trim() !== "");
      start += end + match[0].length;
      rest = rest.slice(end + match[0].length);
    }
  }

  function draft() {
    if (work.isOn) return;
    const notes = notesOf(get("draft-notes").value.toWellFormed());
    made.hasNoNotes = notes.length === 0;
    if (made.hasNoNotes) {
      show();
      return;
    }
    const from = input();
    const body = {
      notes: notes.map((note) => note.text),
      form: get("draft-form").value,
      use_model: get("draft-use-model").checked && Boolean(state.server?.chat_model),
    };
    work.run(async (signal) => {
      Object.assign(made, { draft: await post("/v1/draft", body, signal), notes, from });
    });
  }

  get("draft-make").addEventListener("click", draft);
  get("draft-notes").addEventListener("input", showStatus);
  get("draft-form").addEventListener("change", showStatus);
  get("draft-copy").addEventListener("click", () => copyText(
    get("draft-copy"), made.draft.text, texts));
  get("draft-save").addEventListener("click", () => saveFile("draft.txt", "text/plain", made.draft.text));
  return { show };
}

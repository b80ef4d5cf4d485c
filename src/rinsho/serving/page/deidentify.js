// The note with its identifiers replaced; what was replaced is marked, and never shown again.

import { copyText, post, saveFile } from "/server.js";
import { utf16Offsets } from "/spans.js";
import { Work } from "/work.js";

const get = (id) => document.getElementById(id);

/** Wire the screen up; return what redraws it in the page's language. */
export function setUpDeidentifying(state, texts) {
  const done = { result: null, note: "" };
  const work = new Work("deidentify", state, texts, show);

  function parts({ text, replacements }) {
    const offsets = utf16Offsets(text);
    const found = [];
    let end = 0;
    for (const one of replacements) {
      found.push(text.slice(offsets[end], offsets[one.placeholder_start]));
      const mark = document.createElement("mark");
      mark.textContent = text.slice(offsets[one.placeholder_start], offsets[one.placeholder_end]);
      mark.dataset.tag = "";
      mark.title = texts().kinds[one.kind] ?? one.kind;
      found.push(mark);
      end = one.placeholder_end;
    }
    found.push(text.slice(offsets[end]));
    return found;
  }

  function statusText() {
    const said = work.text(texts().hiding);
    if (said || !done.result) return said;
    if (isStale()) return texts().staleHidden;
    return texts().hidden(done.result.replacements.length, done.result.flags.length);
  }

  const isStale = () => done.result !== null && get("note").value !== done.note;

  function showStatus() {
    get("hidden-status").textContent = statusText();
    get("hidden-status").classList.toggle("bad", work.isBad);
    get("hidden-status").classList.toggle("stale", isStale() && !work.isBad && !work.isOn);
    get("hidden-text").classList.toggle("stale", isStale());
  }

  function show() {
    const { result } = done;
    showStatus();
    get("hidden-actions").hidden = result === null;
    get("hidden-text").classList.toggle("nothing", result === null);
    get("hidden-text").replaceChildren(...(result ? parts(result) : [texts().hiddenEmpty]));
    get("hidden-counts").replaceChildren(...Object.entries(result?.counts ?? {}).map(([kind, n]) => {
      const item = document.createElement("li");
      item.textContent = `${texts().kinds[kind] ?? kind} ${n}`;
      return item;
    }));
    get("hidden-card").setAttribute("aria-busy", String(work.isOn));
    get("deidentify").disabled = work.isOn;
  }

  function deidentify() {
    if (work.isOn) return;
    const note = get("note").value;
    work.run(async (signal) => {
      const result = await post("/v1/deidentify", { text: note.toWellFormed() }, signal);
      Object.assign(done, { result, note });
    });
  }

  get("deidentify").addEventListener("click", deidentify);
  get("hidden-copy").addEventListener("click", () => copyText(
    get("hidden-copy"), done.result.text, texts));
  get("hidden-save").addEventListener("click", () => saveFile(
    "deidentified.txt", "text/plain", done.result.text));
  const forget = () => { done.result = null; work.forget(); show(); };
  return { show, showStatus, run: deidentify, forget };
}

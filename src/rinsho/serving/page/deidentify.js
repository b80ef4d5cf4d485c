// The note with its identifiers replaced; what was replaced is marked, and never shown again.

import { copyText, post, problemText, saveFile } from "/server.js";
import { utf16Offsets } from "/spans.js";

const get = (id) => document.getElementById(id);

/** Wire the screen up; return what redraws it in the page's language. */
export function setUpDeidentifying(state, texts) {
  const done = { result: null, note: "", problem: null, isWorking: false };

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
    if (done.isWorking) return texts().hiding;
    if (done.problem) return problemText(done.problem, state.language, texts());
    if (!done.result) return "";
    if (isStale()) return texts().staleHidden;
    return texts().hidden(done.result.replacements.length, done.result.flags.length);
  }

  const isStale = () => done.result !== null && get("note").value !== done.note;

  function showStatus() {
    get("hidden-status").textContent = statusText();
    get("hidden-status").classList.toggle("bad", done.problem !== null && !done.isWorking);
    get("hidden-status").classList.toggle("stale", isStale() && !done.problem && !done.isWorking);
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
    get("hidden-card").setAttribute("aria-busy", String(done.isWorking));
    get("deidentify").disabled = done.isWorking;
  }

  async function deidentify() {
    if (done.isWorking) return;
    const note = get("note").value;
    Object.assign(done, { isWorking: true, problem: null });
    show();
    try {
      const reply = await post("/v1/deidentify", { text: note.toWellFormed() });
      Object.assign(done, { result: await reply.json(), note });
    } catch (problem) {
      done.problem = problem;
    }
    done.isWorking = false;
    show();
  }

  get("deidentify").addEventListener("click", deidentify);
  get("hidden-copy").addEventListener("click", () => copyText(
    get("hidden-copy"), done.result.text, texts));
  get("hidden-save").addEventListener("click", () => saveFile(
    "deidentified.txt", "text/plain", done.result.text));
  const forget = () => { Object.assign(done, { result: null, problem: null }); show(); };
  return { show, showStatus, run: deidentify, forget };
}

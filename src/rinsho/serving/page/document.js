// Questions about the note: quotes with their places, and what a model makes of them.

import { post, problemText } from "/server.js";
import { utf16Offsets } from "/spans.js";

const get = (id) => document.getElementById(id);

/** Wire the screen up; return what redraws it in the page's language. */
export function setUpQuestions(state, texts) {
  const asked = { result: null, text: "", problem: null, stopper: null, isStopped: false };

  const isStale = () => asked.result !== null && get("note").value.toWellFormed() !== asked.text;

  function goTo(quote) {
    const note = get("note");
    if (isStale()) return;
    const offsets = utf16Offsets(asked.text);
    note.focus();
    note.setSelectionRange(offsets[quote.start], offsets[quote.end]);
  }

  function quoteItem(quote) {
    const [item, button] = [document.createElement("li"), document.createElement("button")];
    button.type = "button";
    button.textContent = `「${quote.text}」 ${quote.start}–${quote.end}`;
    button.addEventListener("click", () => goTo(quote));
    item.append(button);
    return item;
  }

  function sentence(one) {
    const line = document.createElement("p");
    line.textContent = one.text;
    if (one.unsupported.length > 0) {
      const doubt = document.createElement("strong");
      doubt.className = "doubt";
      doubt.textContent = texts().doubt(one.unsupported.map(([, words]) => words).join("、"));
      line.append(" ", doubt);
    }
    return line;
  }

  function statusText() {
    if (asked.stopper) return texts().answering;
    if (asked.problem) return problemText(asked.problem, state.language, texts());
    if (asked.isStopped) return texts().stopped;
    if (!asked.result) return "";
    if (isStale()) return texts().staleAsked;
    if (asked.result.declined) return texts().declined[asked.result.declined];
    return asked.result.quotes.length === 0 ? texts().notFound : texts().quoted;
  }

  function showStatus() {
    get("document-status").textContent = statusText();
    get("document-status").classList.toggle("bad", asked.problem !== null && !asked.stopper);
    get("document-status").classList.toggle("stale", isStale());
  }

  function show() {
    const { result } = asked;
    get("document-model").hidden = !state.server?.chat_model;
    showStatus();
    get("document-quotes").replaceChildren(...(result?.quotes ?? []).map(quoteItem));
    get("document-answer").hidden = !result?.answer.length;
    get("document-answer").replaceChildren(...(result?.answer ?? []).map(sentence));
    get("document-send").disabled = asked.stopper !== null;
    get("document-stop").hidden = asked.stopper === null;
    get("document-card").setAttribute("aria-busy", String(asked.stopper !== null));
  }

  async function ask(event) {
    event.preventDefault();
    const question = get("document-question").value.toWellFormed().trim();
    if (!question || asked.stopper) return;
    const text = get("note").value.toWellFormed();
    Object.assign(asked, { result: null, problem: null, isStopped: false, text });
    asked.stopper = new AbortController();
    show();
    try {
      const use_model = get("document-use-model").checked && Boolean(state.server?.chat_model);
      const reply = await post("/v1/ask", { text, question, use_model }, asked.stopper.signal);
      asked.result = await reply.json();
    } catch (problem) {
      asked.isStopped = problem.name === "AbortError";
      asked.problem = asked.isStopped ? null : problem;
    }
    asked.stopper = null;
    show();
  }

  get("document-form").addEventListener("submit", ask);
  get("document-stop").addEventListener("click", () => asked.stopper?.abort());
  return { show, showStatus };
}

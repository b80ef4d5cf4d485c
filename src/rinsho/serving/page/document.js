// Questions about the note: quotes with their places, and what a model makes of them.

import { post } from "/server.js";
import { utf16Offsets } from "/spans.js";
import { Work } from "/work.js";

const get = (id) => document.getElementById(id);

/** Wire the screen up; return what redraws it in the page's language. */
export function setUpQuestions(state, texts) {
  const asked = { result: null, text: "", question: "" };
  const work = new Work("document", state, texts, show);

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

  const isFormer = () => asked.result !== null && asked.result.question !== asked.question;

  function resultText({ declined, quotes, engine, quoted_by: quotedBy }) {
    if (isStale()) return texts().staleAsked;
    if (declined) return texts().declined[declined];
    if (quotes.length === 0) return texts().notFound;
    return quotedBy === engine ? texts().quoted : texts().quotedInstead;
  }

  function statusText() {
    const said = work.text(texts().answering);
    if (!asked.result) return said;
    if (said) return isFormer() ? `${said} ${texts().former(asked.result.question)}` : said;
    return resultText(asked.result);
  }

  function showStatus() {
    get("document-status").textContent = statusText();
    get("document-status").classList.toggle("bad", work.isBad);
    get("document-status").classList.toggle("stale", isStale() && !work.isOn && !work.isBad);
    get("document-quotes").classList.toggle("stale", isStale() || work.isOn);
  }

  function engineText({ quotes, quoted_by: quotedBy }) {
    if (quotes.length === 0) return "";
    return quotedBy === "extractive" ? texts().quotedByRules : texts().quotedByModel(quotedBy);
  }

  function show() {
    const { result } = asked;
    get("document-model").hidden = !state.server?.chat_model;
    get("document-engine").textContent = result ? engineText(result) : "";
    showStatus();
    get("document-quotes").replaceChildren(...(result?.quotes ?? []).map(quoteItem));
    get("document-answer").hidden = !result?.answer.length;
    get("document-answer").replaceChildren(...(result?.answer ?? []).map(sentence));
    get("document-send").disabled = work.isOn;
    get("document-card").setAttribute("aria-busy", String(work.isOn));
  }

  function ask(event) {
    event.preventDefault();
    const question = get("document-question").value.toWellFormed().trim();
    if (!question || work.isOn) return;
    const text = get("note").value.toWellFormed();
    const use_model = get("document-use-model").checked && Boolean(state.server?.chat_model);
    asked.question = question;
    work.run(async (signal) => {
      const result = await post("/v1/ask", { text, question, use_model }, signal);
      Object.assign(asked, { result, text });
    });
  }

  get("document-form").addEventListener("submit", ask);
  return { show, showStatus };
}

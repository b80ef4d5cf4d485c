// Ask a question; the answer is streamed, and can be stopped.

import { postForEvents } from "/server.js";
import { Work } from "/work.js";

const get = (id) => document.getElementById(id);

/** Wire the panel up; return what redraws it in the page's language. */
export function setUpAsking(state, texts) {
  const asked = { answer: "", isCut: false, isDue: false };
  const work = new Work("ask", state, texts, show);

  function show() {
    const model = state.server?.chat_model ?? null;
    const isOff = state.server !== null && model === null;
    get("chat-model").textContent = model ? texts().chat(model) : "";
    get("ask-explanation").hidden = !isOff;
    get("ask-explanation").textContent = texts().noChat;
    get("question").disabled = isOff;
    get("send").disabled = model === null || work.isOn;
    get("answer").hidden = asked.answer === "";
    get("answer").textContent = asked.answer;
    get("answer").setAttribute("aria-busy", String(work.isOn));
    get("ask-status").textContent = work.text(texts().answering) || (asked.isCut ? texts().cut : "");
    get("ask-status").classList.toggle("bad", work.isBad);
  }

  function ask(event) {
    event.preventDefault();
    const content = get("question").value.toWellFormed().trim();
    if (!content || work.isOn) return;
    const body = { model: state.server.chat_model, messages: [{ role: "user", content }] };
    work.run((signal) => read(body, signal));
  }

  async function read(body, signal) {
    let answer = ""; // the one before stays until the first words of this one
    asked.isCut = false;
    for await (const event of postForEvents("/v1/chat/completions", { ...body, stream: true }, signal)) {
      const [choice] = event.choices;
      answer += choice?.delta.content ?? "";
      if (answer) asked.answer = answer;
      asked.isCut = choice?.finish_reason === "length";
      showSoon();
    }
  }

  /** Show what came since the last picture: a long answer is not drawn again for every word. */
  function showSoon() {
    if (asked.isDue) return;
    asked.isDue = true;
    requestAnimationFrame(() => {
      asked.isDue = false;
      show();
    });
  }

  get("ask").addEventListener("submit", ask);
  get("question").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) get("ask").requestSubmit();
  });
  return { show };
}

// Ask a question; the answer is streamed, and can be stopped.

import { ServerProblem, events, post, problemText } from "/server.js";

const get = (id) => document.getElementById(id);

/** Wire the panel up; return what redraws it in the page's language. */
export function setUpAsking(state, texts) {
  const asked = { answer: "", status: "", problem: null, stopper: null };

  function show() {
    const model = state.server?.chat_model ?? null;
    const isOff = state.server !== null && model === null;
    get("chat-model").textContent = model ? texts().chat(model) : "";
    get("ask-explanation").hidden = !isOff;
    get("ask-explanation").textContent = texts().noChat;
    get("question").disabled = isOff;
    get("send").disabled = model === null || asked.stopper !== null;
    get("stop").hidden = asked.stopper === null;
    get("answer").hidden = asked.answer === "";
    get("answer").textContent = asked.answer;
    get("answer").setAttribute("aria-busy", String(asked.stopper !== null));
    const problem = asked.problem && problemText(asked.problem, state.language, texts());
    get("ask-status").textContent = problem || (asked.status && texts()[asked.status]);
    get("ask-status").classList.toggle("bad", Boolean(problem));
  }

  async function ask(event) {
    event.preventDefault();
    const content = get("question").value.toWellFormed().trim();
    if (!content || asked.stopper) return;
    Object.assign(asked, { answer: "", problem: null, status: "answering" });
    asked.stopper = new AbortController();
    show();
    try {
      await read({ model: state.server.chat_model, messages: [{ role: "user", content }] });
    } catch (problem) {
      const isStopped = problem.name === "AbortError";
      asked.status = isStopped ? "stopped" : "";
      asked.problem = isStopped ? null : problem;
    }
    asked.stopper = null;
    show();
  }

  async function read(body) {
    const response = await post(
      "/v1/chat/completions", { ...body, stream: true }, asked.stopper.signal);
    for await (const event of events(response)) {
      if (event.error) throw new ServerProblem(event.error);
      const [choice] = event.choices;
      asked.answer += choice?.delta.content ?? "";
      if (choice?.finish_reason) asked.status = choice.finish_reason === "length" ? "cut" : "";
      show();
    }
  }

  get("ask").addEventListener("submit", ask);
  get("stop").addEventListener("click", () => asked.stopper?.abort());
  get("question").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) get("ask").requestSubmit();
  });
  return { show };
}

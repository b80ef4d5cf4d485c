// Many notes at once: sent as one batch, watched, fetched, and deleted on the server.

import { notesOf } from "/files.js";
import { problemText, saveFile, send } from "/server.js";

const get = (id) => document.getElementById(id);
const PAUSE_MS = 400;

/** Wire the screen up; return what redraws it in the page's language. */
export function setUpBatches(state, texts) {
  const job = { progress: null, results: null, problem: null, isWorking: false, isStopped: false };

  async function linesOf(files, operation) {
    return (await notesOf(files))
      .map(({ id, text }) => JSON.stringify({ operation, id, body: { text } })).join("\n");
  }

  function statusText() {
    if (job.problem) return problemText(job.problem, state.language, texts());
    if (job.hasNoFile) return texts().batchNoFile;
    const stopped = job.isStopped ? texts().stopped : "";
    if (!job.progress) return stopped;
    const { n_done: done, n_lines: all, n_failed: failed } = job.progress;
    return `${stopped} ${texts().batchDone(done, all, failed)}`.trim();
  }

  function show() {
    get("batch-status").textContent = statusText();
    get("batch-status").classList.toggle("bad", job.problem !== null);
    get("batch-progress").hidden = job.progress === null;
    get("batch-progress").value = job.progress ? job.progress.n_done / Math.max(1, job.progress.n_lines) : 0;
    get("batch-save").hidden = job.results === null;
    get("batch-start").disabled = job.isWorking;
    get("batch-stop").hidden = !job.isWorking;
    get("batch-card").setAttribute("aria-busy", String(job.isWorking));
  }

  async function watch(id) {
    for (;;) {
      job.progress = await (await send(`/v1/batch/${id}`)).json();
      show();
      if (!["waiting", "running"].includes(job.progress.status) || job.isStopped) return;
      await new Promise((resolve) => { setTimeout(resolve, PAUSE_MS); });
    }
  }

  async function start() {
    const { files } = get("batch-files");
    if (job.isWorking) return;
    job.hasNoFile = files.length === 0;
    if (job.hasNoFile) {
      show();
      return;
    }
    Object.assign(job, {
      progress: null, results: null, problem: null, isWorking: true, isStopped: false });
    show();
    try {
      const body = await linesOf(files, get("batch-operation").value);
      const reply = await send("/v1/batch", { method: "POST", body, type: "application/jsonl" });
      const { id } = await reply.json();
      await watch(id);
      job.results = await (await send(`/v1/batch/${id}/results`)).text();
      await send(`/v1/batch/${id}`, { method: "DELETE" });
    } catch (problem) {
      job.problem = problem;
    }
    job.isWorking = false;
    show();
  }

  get("batch-start").addEventListener("click", start);
  get("batch-stop").addEventListener("click", () => { job.isStopped = true; });
  get("batch-save").addEventListener("click", () => saveFile(
    "rinsho-results.jsonl", "application/jsonl", job.results));
  return { show };
}

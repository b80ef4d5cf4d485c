// Many notes at once: sent as one batch, whose results are taken as they come.

import { FileProblem, notesOf } from "/files.js";
import {
  ServerLost, ServerProblem, connection, pause, receive, saveFile, send, untilBack,
} from "/server.js";
import { Work } from "/work.js";

const get = (id) => document.getElementById(id);
const PAUSE_MS = 400;
const TAKE_MS = 5000; // each time results are taken is a line of the audit log

/** Wire the screen up; return what redraws it in the page's language. */
export function setUpBatches(state, texts) {
  const job = { lines: [], results: [], nFailedTaken: 0, nFailed: 0, nDone: 0, isWaiting: false };
  const work = new Work("batch", state, texts, show);

  function statusText() {
    const said = work.isOn && connection.state === "lost" ? texts().batchLost : work.text("");
    if (job.lines.length === 0 || work.problem instanceof FileProblem) return said;
    if (work.isOn && job.isWaiting) return texts().batchWaiting;
    return `${said} ${texts().batchDone(job.nDone, job.lines.length, job.nFailed)}`.trim();
  }

  function show() {
    const [first, ...others] = [...get("batch-files").files].map((file) => file.name);
    get("batch-names").textContent = first ? texts().fileNames(first, others.length) : "";
    get("batch-status").textContent = statusText();
    get("batch-status").classList.toggle("bad", work.isBad);
    work.bar.value = job.nDone / Math.max(1, job.lines.length);
    const isUnderWay = work.isOn && connection.state !== "lost";
    get("batch-save").hidden = job.results.length === 0 || isUnderWay;
    get("batch-start").disabled = work.isOn;
    get("batch-card").setAttribute("aria-busy", String(work.isOn));
  }

  /** Take the results that have come since the last time; `first` is the batch's first line. */
  async function take(id, first, signal) {
    const path = `/v1/batch/${id}/results?start=${job.results.length - first}`;
    const text = await receive(path, { signal }, "text");
    for (const line of text.split("\n").filter(Boolean)) {
      job.results.push(line.replace(/^\{"line": (\d+)/, (_, n) => `{"line": ${Number(n) + first}`));
      job.nFailedTaken += JSON.parse(line).error === undefined ? 0 : 1;
    }
  }

  /** Watch a batch until it ends; a server that is lost meanwhile is waited for. */
  async function watch(id, first, signal) {
    let taken = -Infinity;
    const nFailedBefore = job.nFailedTaken;
    for (;;) {
      try {
        const progress = await receive(`/v1/batch/${id}`, { signal });
        const isOver = !["waiting", "running"].includes(progress.status);
        job.isWaiting = progress.status === "waiting";
        job.nDone = first + progress.n_done;
        job.nFailed = nFailedBefore + progress.n_failed;
        show();
        if (isOver || (progress.n_done > 0 && performance.now() > taken + TAKE_MS)) {
          await take(id, first, signal);
          taken = performance.now();
        }
        if (isOver) return;
        await pause(PAUSE_MS, signal);
      } catch (problem) {
        if (!(problem instanceof ServerLost)) throw problem;
        await untilBack(signal);
      }
    }
  }

  /** Send the lines that have no result yet as one batch, and take its results. */
  async function sendRest(signal) {
    const first = job.results.length;
    const body = job.lines.slice(first).join("\n");
    const options = { method: "POST", body, type: "application/jsonl", signal };
    const { id } = await receive("/v1/batch", options);
    try {
      await watch(id, first, signal);
    } catch (problem) {
      // A server that was started again has forgotten it.
      if (!(problem instanceof ServerProblem) || problem.fields.code !== "S018") throw problem;
      return;
    } finally {
      if (signal.aborted) await take(id, first).catch(() => {});
      await send(`/v1/batch/${id}`, { method: "DELETE" }).catch(() => {});
    }
    if (job.results.length === first) throw new FileProblem("batchStuck", first + 1);
  }

  const orWait = (signal) => (problem) => {
    if (!(problem instanceof ServerLost)) throw problem;
    return untilBack(signal);
  };

  async function start() {
    const { files } = get("batch-files");
    if (work.isOn) return;
    const operation = get("batch-operation").value;
    await work.run(async (signal) => {
      if (files.length === 0) throw new FileProblem("batchNoFile");
      const lines = (await notesOf(files)).map(({ id, text }) => (
        JSON.stringify({ operation, id, body: { text } })));
      Object.assign(job, { lines, results: [], nFailedTaken: 0, nFailed: 0, nDone: 0 });
      show();
      while (job.results.length < lines.length) await sendRest(signal).catch(orWait(signal));
    });
    Object.assign(job, { nDone: job.results.length, nFailed: job.nFailedTaken });
    show();
  }

  get("batch-files").addEventListener("change", show);
  get("batch-start").addEventListener("click", start);
  get("batch-save").addEventListener("click", () => saveFile(
    "rinsho-results.jsonl", "application/jsonl", `${job.results.join("\n")}\n`));
  return { show };
}

// Talking to the server that the page came from, and handing over what it said.

import { FileProblem } from "/files.js";

const RETRY_MS = 1000;

/** An error that the server explained, in both languages. */
export class ServerProblem extends Error {
  constructor(fields) {
    super(fields.code);
    this.fields = fields;
  }
}

/** The server was not there, or its answer broke off. */
export class ServerLost extends Error {}

/** Whether the server is there: "here", "lost", or "back" until it has done something again. */
export const connection = { state: "here", onChange: () => {}, onRefused: () => {} };
const WITH_OTHER_STATE = new Set(["S006", "S007", "S012"]); // another model, or another key

let key = null; // of the person at this screen; gone with the page

/** Send this key with every request from now on. */
export function setKey(value) {
  key = value;
}

function change(state) {
  if (connection.state === state) return;
  connection.state = state;
  connection.onChange();
}

/** Wait some time, or until the signal says that nobody waits any more. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => { clearTimeout(timer); resolve(); });
  });
}

async function lookForServer() {
  for (;;) {
    await pause(RETRY_MS);
    const response = await fetch("/health").catch(() => null);
    if (response?.ok) break;
  }
  change("back");
}

/** Return the problem to throw; from now on the page looks for the server. */
function lost() {
  if (connection.state !== "lost") {
    change("lost");
    lookForServer();
  }
  return new ServerLost();
}

/** Wait until a lost server is there again, or the signal is given. */
export async function untilBack(signal) {
  while (connection.state === "lost" && !signal.aborted) await pause(RETRY_MS / 4, signal);
}

/** Wait for a part of an answer; where the server is lost on the way, say so. */
async function arriving(part, signal) {
  try {
    return await part;
  } catch (problem) {
    throw signal?.aborted ? problem : lost();
  }
}

/** Send a request; return the response, or throw what the server said. */
export async function send(path, { type = "application/json", ...options } = {}) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  if (options.body !== undefined) headers["Content-Type"] = type;
  const response = await arriving(fetch(path, { ...options, headers }), options.signal);
  if (connection.state === "back" && path !== "/health") change("here");
  if (response.ok) return response;
  const fields = await response.json().then((reply) => reply.error, () => null);
  if (WITH_OTHER_STATE.has(fields?.code)) connection.onRefused();
  throw new ServerProblem(fields ?? { code: response.status, message: response.statusText });
}

/** Send a request; return the whole answer, "json" or "text". */
export async function receive(path, options = {}, form = "json") {
  const response = await send(path, options);
  return arriving(response[form](), options.signal);
}

const asJson = (body, signal) => ({ method: "POST", body: JSON.stringify(body), signal });

/** Send JSON; return the JSON that comes back, or throw what the server said. */
export const post = (path, body, signal) => receive(path, asJson(body, signal));

/** Send JSON; yield the JSON values of the stream of server-sent events that comes back. */
export async function* postForEvents(path, body, signal) {
  const response = await send(path, asJson(body, signal));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { done, value } = await arriving(reader.read(), signal);
    if (done) throw lost(); // without [DONE] it is not the whole answer
    held += value;
    const lines = held.split("\n\n");
    held = lines.pop();
    for (const line of lines) {
      const data = line.replace(/^data: /, "");
      if (data === "[DONE]") return;
      const event = JSON.parse(data);
      if (event.error) throw new ServerProblem(event.error);
      yield event;
    }
  }
}

/** Return what a person reads about a problem. */
export function problemText(problem, language, texts) {
  if (problem instanceof FileProblem) return texts[problem.key](problem.place);
  if (problem instanceof ServerLost) {
    return connection.state === "lost" ? texts.offline : texts.wasLost;
  }
  if (!(problem instanceof ServerProblem)) return texts.pageFault(problem.name);
  const { code, message, message_ja: japanese } = problem.fields;
  if (texts.problems[code]) return `${texts.problems[code]} [${code}]`;
  return `${(language === "ja" && japanese) || message} [${code}]`;
}

/** Put text on the clipboard; the button says for a moment whether that worked. */
export async function copyText(button, text, texts) {
  let said = "copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch { // not allowed, or not over plain HTTP
    said = "notCopied";
  }
  button.textContent = texts()[said];
  setTimeout(() => { button.textContent = texts()[button.dataset.text]; }, 2000);
}

/** Hand text over as a file. */
export function saveFile(name, type, ...parts) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(new Blob(parts, { type }));
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
}

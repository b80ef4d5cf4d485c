// Talking to the server that the page came from, and handing over what it said.

import { FileProblem } from "/files.js";

/** An error that the server explained, in both languages. */
export class ServerProblem extends Error {
  constructor(fields) {
    super(fields.code);
    this.fields = fields;
  }
}

let key = null; // of the person at this screen; gone with the page

/** Send this key with every request from now on. */
export function setKey(value) {
  key = value;
}

/** Send JSON; return the response, or throw what the server said. */
export async function post(path, body, signal) {
  return send(path, { method: "POST", body: JSON.stringify(body), signal });
}

/** Send a request; return the response, or throw what the server said. */
export async function send(path, { type = "application/json", ...options } = {}) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  if (options.body !== undefined) headers["Content-Type"] = type;
  const response = await fetch(path, { ...options, headers });
  if (response.ok) return response;
  const fields = await response.json().then((reply) => reply.error, () => null);
  throw new ServerProblem(fields ?? { code: response.status, message: response.statusText });
}

/** Return what a person reads about a problem. */
export function problemText(problem, language, texts) {
  if (problem instanceof FileProblem) return texts[problem.key](problem.place);
  if (!(problem instanceof ServerProblem)) return texts.offline;
  const { code, message, message_ja: japanese } = problem.fields;
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

/** Yield the JSON values of a stream of server-sent events. */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    held += value;
    const lines = held.split("\n\n");
    held = lines.pop();
    for (const line of lines) {
      const data = line.replace(/^data: /, "");
      if (data !== "[DONE]") yield JSON.parse(data);
    }
  }
}

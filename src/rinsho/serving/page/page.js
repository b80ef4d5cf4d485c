// What the buttons do. Notes and answers reach the document as text only, never as markup.

import { showAnswers } from "/answers.js";
import { setUpAsking } from "/ask.js";
import { setUpBatches } from "/batch.js";
import { setUpCorrections } from "/correct.js";
import { setUpCorrected } from "/corrected.js";
import { setUpDeidentifying } from "/deidentify.js";
import { setUpQuestions } from "/document.js";
import { setUpDrafting } from "/draft.js";
import { linkRelated, toSpans, withRelations } from "/relations.js";
import { connection, copyText, post, receive, saveFile, setKey } from "/server.js";
import { MAX_SHOWN, link, showLegend, showNote, showRows, toCsv } from "/spans.js";
import { setUpTabs } from "/tabs.js";
import { SAMPLE_NOTE, TEXTS } from "/texts.js";
import { Work } from "/work.js";

const get = (id) => document.getElementById(id);
const note = get("note");
const state = { language: "ja", server: null, needsKey: false, keySaid: "", result: null };
const screens = {}; // the other jobs, each with `show`

const IS_HERE = /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(location.hostname);
const texts = () => TEXTS[state.language];
state.work = new Work("extract", state, texts, showStatus);

function setLanguage(language) {
  state.language = language;
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = texts()[element.dataset.text];
  }
  for (const element of document.querySelectorAll("[data-placeholder]")) {
    element.placeholder = texts()[element.dataset.placeholder];
  }
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
  localStorage.setItem("language", language); // the only thing that is kept
  show();
}

function engineText() {
  if (!state.server?.extractor) return "";
  const { kind, name } = state.server.extractor;
  return kind === "dictionary" ? texts().dictionary : texts().model(name);
}

function isStale() {
  return state.result !== null && note.value !== state.result.text;
}

function statusText() {
  const { result } = state;
  const said = state.work.text(texts().working);
  if (said || result === null) return said;
  if (isStale()) return texts().stale;
  if (result.answers.length > 0) return texts().judged(result.answers.length);
  if (result.spans.length === 0) return texts().foundNone;
  const more = result.spans.length > MAX_SHOWN ? ` ${texts().shown(MAX_SHOWN)}` : "";
  const unrelated = state.server?.relations && !result.relations ? ` ${texts().tooManyPairs}` : "";
  return texts().found(result.spans.length) + more + unrelated;
}

function show() {
  const spans = state.result?.spans ?? [];
  get("engine").textContent = engineText();
  get("local").textContent = IS_HERE ? texts().local : texts().localServer(location.hostname);
  get("version").textContent = state.server?.version ? `rinsho ${state.server.version}` : "";
  get("card-open").hidden = !state.server?.has_card;
  showConnection();
  get("legend").ariaLabel = texts().legend;
  showLegend(get("legend"), spans, texts());
  showRows(get("rows"), spans, texts(), state.result?.relations);
  get("column-causes").hidden = !state.result?.relations;
  showAnswers(get("answers"), state.result?.answers ?? [], texts());
  get("table-card").hidden = spans.length === 0 || document.body.dataset.openJob !== "extract";
  if (state.result) {
    showNote(get("reading"), state.result.text, spans, texts());
  } else {
    get("reading").textContent = texts().empty;
  }
  get("reading").classList.toggle("nothing", state.result === null);
  showStatus();
  for (const screen of Object.values(screens)) screen.show();
}

function showStatus() {
  get("note-length").textContent = texts().noteLength([...note.value].length);
  get("status").textContent = statusText();
  get("status").classList.toggle("bad", state.work.isBad);
  get("status").classList.toggle("stale", isStale() && !state.work.isBad && !state.work.isOn);
  get("reading").classList.toggle("stale", isStale());
  get("found").setAttribute("aria-busy", String(state.work.isOn));
  get("extract").disabled = state.work.isOn;
  screens.corrected?.show();
}

/** Say whether the server is there, and whether it wants another key. */
function showConnection() {
  const said = { here: "", lost: "lost", back: "back" }[connection.state];
  get("connection").textContent = said && texts()[said];
  get("connection").className = connection.state === "lost" ? "status bad" : "status good";
  const hasNothing = state.needsKey && state.server === null;
  get("key-card").hidden = !state.needsKey;
  get("key-status").textContent = state.keySaid && texts()[state.keySaid];
  get("jobs").hidden = hasNothing;
  document.querySelector("main").hidden = hasNothing;
}

async function extract() {
  const text = note.value.toWellFormed();
  if (state.work.isOn) return;
  await state.work.run(async (signal) => {
    const reply = await withRelations(
      state.server, (more) => post("/v1/extract", { text, ...more }, signal));
    const { spans, answers, relations } = reply;
    state.result = { text, spans, answers: answers ?? [], relations: toSpans(relations, spans) };
    screens.corrections.forget();
  });
  show();
}

function setNote(text) {
  note.value = text;
  note.setSelectionRange(0, 0);
  note.scrollTop = 0;
  state.result = null;
  state.work.forget();
  screens.corrections.forget();
  screens.deidentifying.forget();
  show();
  note.focus();
}

/** Show a note of a file: as a person has checked it, or extract. */
function openNote(text, kept) {
  setNote(text);
  if (kept === undefined) {
    extract();
    return;
  }
  const spans = kept.spans.map((span) => ({ ...span }));
  const relations = toSpans(kept.relations, spans);
  state.result = { text, spans, answers: [], relations, isChecked: true };
  show();
}

function save() {
  saveFile("rinsho-spans.csv", "text/csv", "\ufeff", toCsv(state.result.spans, state.result.relations));
}

async function openCard() {
  get("card-text").textContent = (await receive("/v1/card")).text;
  get("card").showModal();
}

async function useKey(event) {
  event.preventDefault();
  setKey(get("key").value);
  get("key").value = "";
  await meetServer();
  state.keySaid = state.needsKey ? "keyRefused" : "";
  show();
}

/** Ask the server what it is; what it was before stays on the page where it wants a key first. */
async function meetServer() {
  const met = await receive("/health").catch(() => null); // then the page looks for it
  if (met === null) return;
  const isNew = JSON.stringify(met) !== JSON.stringify(state.server);
  state.needsKey = Boolean(met.needs_key);
  if (!state.needsKey) Object.assign(state, { server: met, keySaid: "" });
  else if (state.server !== null && !state.keySaid) state.keySaid = "keyGone";
  if (isNew) show();
}

// ------------------------------------------------------------------ hover, click and arrow keys

const indexOf = (event) => event.target.closest?.("[data-index]")?.dataset.index ?? null;

function linkBothWays() {
  const main = document.querySelector("main");
  for (const pointed of ["mouseover", "focusin"]) {
    main.addEventListener(pointed, (event) => {
      link(main, indexOf(event));
      linkRelated(main, indexOf(event), state.result);
    });
  }
  get("rows").addEventListener("click", (event) => {
    const mark = get("reading").querySelector(`mark[data-index="${indexOf(event)}"]`);
    mark?.scrollIntoView({ block: "center" });
  });
  get("reading").addEventListener("click", (event) => {
    if (indexOf(event) === null) return;
    const row = get("rows").querySelector(`[data-index="${indexOf(event)}"]`);
    row?.scrollIntoView({ block: "nearest" });
  });
  get("reading").addEventListener("keydown", moveBetweenMarks);
}

function moveBetweenMarks(event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step || event.target.tagName !== "MARK") return;
  event.preventDefault();
  const marks = [...get("reading").querySelectorAll("mark")];
  const next = marks[marks.indexOf(event.target) + step];
  if (!next) return;
  event.target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

async function start() {
  get("extract").addEventListener("click", extract);
  get("sample").addEventListener("click", () => setNote(SAMPLE_NOTE));
  get("clear").addEventListener("click", () => setNote(""));
  get("copy").addEventListener("click", () => copyText(
    get("copy"), toCsv(state.result.spans, state.result.relations), texts));
  get("save").addEventListener("click", save);
  note.addEventListener("input", () => {
    showStatus();
    screens.deidentifying.showStatus();
    screens.questions.showStatus();
  });
  note.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    if (document.body.dataset.openJob === "deidentify") screens.deidentifying.run();
    else if (document.body.dataset.openJob === "extract") extract();
  });
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => setLanguage(button.dataset.language));
  }
  get("key-form").addEventListener("submit", useKey);
  get("card-open").addEventListener("click", openCard);
  get("card-close").addEventListener("click", () => get("card").close());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && connection.state !== "lost") meetServer();
  });
  Object.assign(connection, { onRefused: meetServer, onChange: () => {
    if (connection.state === "back") meetServer();
    show();
  } });
  linkBothWays();
  screens.asking = setUpAsking(state, texts);
  screens.corrections = setUpCorrections(state, texts, show);
  screens.corrected = setUpCorrected(state, texts, openNote);
  screens.deidentifying = setUpDeidentifying(state, texts);
  screens.questions = setUpQuestions(state, texts);
  screens.drafting = setUpDrafting(state, texts);
  screens.batches = setUpBatches(state, texts);
  setUpTabs(show);
  setLanguage(localStorage.getItem("language") === "en" ? "en" : "ja");
  await meetServer();
}

start();

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
import { copyText, post, problemText, saveFile, send, setKey } from "/server.js";
import { MAX_SHOWN, link, showLegend, showNote, showRows, toCsv } from "/spans.js";
import { setUpTabs } from "/tabs.js";
import { SAMPLE_NOTE, TEXTS } from "/texts.js";

const get = (id) => document.getElementById(id);
const note = get("note");
const state = { language: "ja", server: null, result: null, problem: null, isWorking: false };
const screens = {}; // the other jobs, each with `show`

const IS_HERE = /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(location.hostname);
const texts = () => TEXTS[state.language];

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
  if (state.isWorking) return texts().working;
  if (state.problem) return problemText(state.problem, state.language, texts());
  if (result === null) return "";
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
  get("status").classList.toggle("bad", state.problem !== null && !state.isWorking);
  get("status").classList.toggle("stale", isStale() && !state.problem);
  get("reading").classList.toggle("stale", isStale());
  get("found").setAttribute("aria-busy", String(state.isWorking));
  get("extract").disabled = state.isWorking;
  screens.corrected?.show();
}

async function extract() {
  const text = note.value.toWellFormed();
  if (state.isWorking) return;
  state.isWorking = true;
  state.problem = null;
  showStatus();
  try {
    const reply = await withRelations(state.server, (more) => post("/v1/extract", { text, ...more }));
    const { spans, answers, relations } = await reply.json();
    state.result = { text, spans, answers: answers ?? [], relations: toSpans(relations, spans) };
    screens.corrections.forget();
  } catch (problem) {
    state.problem = problem;
  }
  state.isWorking = false;
  show();
}

function setNote(text) {
  note.value = text;
  note.setSelectionRange(0, 0);
  note.scrollTop = 0;
  state.result = null;
  state.problem = null;
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
  get("card-text").textContent = (await (await send("/v1/card")).json()).text;
  get("card").showModal();
}

async function useKey(event) {
  event.preventDefault();
  setKey(get("key").value);
  get("key").value = "";
  await meetServer();
  if (state.server?.needs_key) {
    get("key-status").textContent = texts().keyRefused;
    get("key-status").classList.add("bad");
  }
}

async function meetServer() {
  try {
    state.server = await (await send("/health")).json();
    state.problem = null;
  } catch (problem) {
    state.problem = problem;
  }
  const needsKey = Boolean(state.server?.needs_key);
  get("key-card").hidden = !needsKey;
  get("jobs").hidden = needsKey;
  document.querySelector("main").hidden = needsKey;
  show();
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

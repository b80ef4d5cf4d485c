// One screen for each job; the note stays where it is when the screen changes.

const JOBS = ["extract", "deidentify", "document", "draft", "batch"];
const WITH_NOTE = new Set(["extract", "deidentify", "document"]);
const get = (id) => document.getElementById(id);

function open(job, onOpen) {
  for (const one of JOBS) {
    const isOpen = one === job;
    get(`tab-${one}`).setAttribute("aria-selected", String(isOpen));
    get(`tab-${one}`).tabIndex = isOpen ? 0 : -1;
    get(`panel-${one}`).hidden = !isOpen;
  }
  get("note-card").hidden = !WITH_NOTE.has(job);
  document.body.dataset.openJob = job;
  for (const element of document.querySelectorAll("[data-job]")) {
    element.hidden = element.dataset.job !== job;
  }
  onOpen(job);
}

/** Wire the tabs up; arrow keys go from one to the next, as in every row of tabs. */
export function setUpTabs(onOpen) {
  JOBS.forEach((job, index) => {
    get(`tab-${job}`).addEventListener("click", () => open(job, onOpen));
    get(`tab-${job}`).addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = JOBS[(index + step + JOBS.length) % JOBS.length];
      open(next, onOpen);
      get(`tab-${next}`).focus();
    });
  });
  open("extract", onOpen);
}

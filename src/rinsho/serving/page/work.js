// Work of a screen that is under way: its row has a bar, the seconds so far, and a button to stop.

import { problemText } from "/server.js";

const get = (id) => document.getElementById(id);

function made(name, fields, data = {}) {
  const element = Object.assign(document.createElement(name), fields);
  Object.assign(element.dataset, data);
  return element;
}

/** What one button of a screen starts; it runs once at a time. The page has its row, NAME-work. */
export class Work {
  constructor(name, state, texts, show) {
    Object.assign(this, { state, texts, show, stopper: null, problem: null, isStopped: false });
    this.row = get(`${name}-work`);
    this.bar = made("progress", { id: `${name}-progress` });
    this.seconds = made("span", { className: "quiet" });
    this.button = made("button", { type: "button", id: `${name}-stop` }, { text: "stop" });
    this.button.addEventListener("click", () => this.stopper?.abort());
    const label = made("label", {});
    label.append(made("span", { className: "hidden" }, { text: "progress" }), this.bar);
    this.row.append(label, this.seconds, this.button);
  }

  get isOn() {
    return this.stopper !== null;
  }

  /** Run a task, which gets the signal of the stop button; how it ended is kept for `text`. */
  async run(task) {
    const stopper = new AbortController();
    Object.assign(this, { stopper, problem: null, isStopped: false });
    const began = performance.now();
    const tell = () => {
      const n = Math.floor((performance.now() - began) / 1000);
      this.seconds.textContent = n > 0 ? this.texts().seconds(n) : "";
    };
    tell();
    const clock = setInterval(tell, 1000);
    this.refresh();
    try {
      await task(stopper.signal);
      this.isStopped = stopper.signal.aborted;
    } catch (problem) {
      this.isStopped = stopper.signal.aborted;
      this.problem = this.isStopped ? null : problem;
    }
    clearInterval(clock);
    this.stopper = null;
    this.refresh();
  }

  refresh() {
    this.row.hidden = !this.isOn;
    this.show();
  }

  forget() {
    Object.assign(this, { problem: null, isStopped: false });
  }

  /** Return what a person reads about it: `working` while it runs; nothing where it went well. */
  text(working) {
    if (this.isOn) return working;
    if (this.problem) return problemText(this.problem, this.state.language, this.texts());
    return this.isStopped ? this.texts().stopped : "";
  }

  get isBad() {
    return this.problem !== null && !this.isOn;
  }
}

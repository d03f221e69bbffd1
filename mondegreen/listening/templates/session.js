"use strict";
/* The listener, their form and their answers so far; a reload loses nothing. */

const STUDY = JSON.parse(document.getElementById("study").textContent);
const COLUMNS = [
  ...["study", "protocol", "listener", "form", "headphones"],
  ...["trial", "answer", "heard_difference", "level", "seconds", "at"],
];
const LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"; // none that look alike

class Session {
  constructor(address) {
    this.listener = listenerOf(address);
    this.place = `mondegreen ${STUDY.study} ${this.listener}`;
    this.state = recall(this.place) ?? {
      form: formOf(address, this.listener),
      step: "consent",
      started: null,
      finished: null,
      headphones: null,
      answers: [],
      trial: null, // the state of the current trial
      steps: [], // of staircases: the levels so far, and whether the answers were right
    };
  }

  get form() {
    return STUDY.forms[this.state.form];
  }

  get trial() {
    return this.form[this.state.answers.length];
  }

  get complete() {
    return this.state.answers.length === this.form.length;
  }

  save(changes = {}) {
    Object.assign(this.state, changes);
    remember(this.place, this.state);
  }

  record(answer, steps = this.state.steps) {
    const all = [...this.state.answers, answer];
    const finished = all.length === this.form.length ? answer.at : null;
    this.save({ answers: all, trial: null, finished, steps });
  }

  get code() {
    if (!this.complete) return null;
    return STUDY.code ?? codeOf(`${STUDY.study} ${this.listener} ${this.state.form}`);
  }

  /* The answers, as sent and downloaded. */
  toJson() {
    const { form, started, finished, headphones, answers } = this.state;
    return {
      study: STUDY.study,
      protocol: STUDY.protocol,
      listener: this.listener,
      form,
      started,
      finished,
      complete: this.complete,
      code: this.code,
      headphones,
      answers,
    };
  }

  /* The answers as a table, one per row. */
  toCsv() {
    const { form, headphones, answers } = this.state;
    const passed = headphones === null ? "" : headphones.passed ? "passed" : "failed";
    const whole = [STUDY.study, STUDY.protocol, this.listener, form, passed];
    const rows = answers.map((a) => [...whole, ...COLUMNS.slice(whole.length).map((name) => a[name])]);
    return [COLUMNS, ...rows].map((row) => row.map(cell).join(",") + "\r\n").join("");
  }
}

/* The listener's name: from the address, or drawn once for this browser. */
function listenerOf(address) {
  const given = (address.get("listener") ?? address.get("PROLIFIC_PID") ?? "").trim();
  if (given) return Array.from(given).slice(0, 64).join("");
  const place = `mondegreen ${STUDY.study}`;
  const name = recall(place) ?? crypto.getRandomValues(new Uint32Array(2)).join("-");
  remember(place, name);
  return name;
}

/* The number of the form: from the address, or from the listener's name; NaN if it does not exist. */
function formOf(address, listener) {
  const count = STUDY.forms.length;
  if (!address.has("form")) return hash(listener) % count;
  const given = address.get("form");
  return /^\d{1,6}$/.test(given) && Number(given) < count ? Number(given) : NaN;
}

/* FNV-1a, 32 bits. */
function hash(text) {
  const mix = (sum, byte) => Math.imul(sum ^ byte, 0x01000193);
  return new TextEncoder().encode(text).reduce(mix, 0x811c9dc5) >>> 0;
}

/* Eight letters that differ between listeners. */
function codeOf(text) {
  const numbers = [hash(text), hash(`${text} again`)];
  const letters = (number) => [0, 5, 10, 15].map((shift) => LETTERS[(number >>> shift) & 31]);
  return numbers.flatMap(letters).join("");
}

/* A cell that spreadsheets do not treat as a formula; a number is none, whatever its sign. */
function cell(value) {
  const text = String(value ?? "");
  if (typeof value === "number") return text;
  const plain = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(text) ? `'${text}` : text;
  return `"${plain.replaceAll('"', '""')}"`;
}

function recall(place) {
  try {
    return JSON.parse(localStorage.getItem(place));
  } catch {
    return null; // the browser stores nothing, or something else is stored there
  }
}

function remember(place, value) {
  try {
    localStorage.setItem(place, JSON.stringify(value));
  } catch {
    // without storage, the test can still be taken in one go
  }
}

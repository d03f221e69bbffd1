"use strict";
/* A trial: its question and sounds, and the answer, which is possible once all sounds were heard. */

const YES_NO = { yes: ["Yes", "y"], no: ["No", "n"] };
const A_B = { a: ["A", "1"], b: ["B", "2"] };
const QUESTIONS = {
  abx: {
    title: "Is X the same as A, or the same as B?",
    versions: ["a", "b", "x"],
    fields: {
      answer: ["X is the same as", A_B],
      heard_difference: ["Did you hear any difference between A and B?", YES_NO],
    },
  },
  noise: {
    title: "Do you hear background noise?",
    versions: ["a"],
    fields: { answer: ["Your answer", YES_NO] },
  },
  natural: {
    title: "Which sounds more natural?",
    versions: ["a", "b"],
    fields: { answer: ["Your answer", A_B] },
  },
  identical: {
    title: "Are these two identical?",
    versions: ["a", "b"],
    fields: { answer: ["Your answer", YES_NO] },
  },
  changed: {
    title: "X is the original. Which of A and B was changed?",
    versions: ["x", "a", "b"],
    fields: { answer: ["The changed one is", A_B] },
  },
};
const ENOUGH = 1; // seconds of a sound that must be heard, or the whole sound if it is shorter
const SHORTEST = 0.5; // seconds of a loop, or the whole clip if it is shorter

let shown = null; // the trial on the page: its question, when it appeared, whether it is answered

async function trialStep() {
  if (session.complete) return enter("done");
  const { trial } = session;
  if (!trial.training && !session.state.ready && session.form[0].training) return show("ready");
  keepSounds(device, [trial, session.form[session.state.answers.length + 1] ?? trial]);
  setText("where", "Loading…");
  openTrial(trial, await soundsOf(device, trial));
  return show("trial");
}

function openTrial(trial, sounds) {
  const before = session.state.trial ?? { seconds: 0 };
  const question = QUESTIONS[trial.kind];
  const { buffers, step } = stepOf(trial, sounds);
  player.load(buffers, before.heard, before.plays);
  shown = { trial, question, step, before: before.seconds, since: performance.now(), answered: false };
  byId("where").textContent = whereabouts();
  byId("question").textContent = question.title;
  byId("feedback").textContent = "";
  byId("versions").replaceChildren(...question.versions.map(versionButton));
  byId("versions").hidden = question.versions.length === 1; // one play button is enough
  byId("fields").replaceChildren(...Object.entries(question.fields).map(fieldset));
  byId("keys").replaceChildren(...keyList(question));
  showLoop();
  refresh();
}

/* The sounds as they are played, and the step of a track that the trial is; null if it is none. */
function stepOf({ track }, sounds) {
  if (track === undefined) return { buffers: sounds, step: null };
  const level = nextLevel(session.state.steps, track);
  const changed = changedOf(sounds);
  const buffers = { ...sounds, [changed]: atLevel(sounds[changed], sounds.x, level) };
  return { buffers, step: { track, level, changed } };
}

/* The steps of staircases after an answer. */
function stepsAfter(step, answer) {
  const { steps } = session.state;
  if (step === null) return steps;
  const { track, level, changed } = step;
  return [...steps, { track, level, right: answer === changed }];
}

/* The listener's progress. */
function whereabouts() {
  const training = session.form.filter((trial) => trial.training).length;
  const at = session.state.answers.length;
  return at < training
    ? `Practice ${at + 1} of ${training}`
    : `Question ${at - training + 1} of ${session.form.length - training}`;
}

function versionButton(letter) {
  const button = element("button", { type: "button", textContent: letter.toUpperCase() });
  button.dataset.version = letter;
  button.addEventListener("click", () => turnTo(letter));
  return button;
}

function fieldset([name, [legend, choices]]) {
  const labels = Object.entries(choices).map(([value, [text, key]]) => {
    const input = element("input", { type: "radio", name, value, required: true });
    return element("label", {}, input, text, element("kbd", { textContent: key, ariaHidden: "true" }));
  });
  return element("fieldset", {}, element("legend", { textContent: legend }), ...labels);
}

function keyList(question) {
  const letters = question.versions.length > 1 ? question.versions : [];
  const keys = [
    ...letters.map((letter) => [letter.toUpperCase(), `play ${letter.toUpperCase()}`]),
    ["space", "play or pause"],
    ["[ and ]", "start, or end, the repeated part here"],
    ["0", "repeat the whole clip"],
    ["enter", "next"],
  ];
  return keys.flatMap(([key, does]) => [
    element("dt", {}, element("kbd", { textContent: key })),
    element("dd", { textContent: does }),
  ]);
}

function turnTo(letter) {
  device.resume();
  player.play(letter);
  keepTrial();
  refresh();
}

function toggle(letter = player.current) {
  if (player.playing) player.pause();
  else turnTo(letter);
  refresh();
}

function keepTrial() {
  if (shown === null || shown.answered) return;
  const { listened: heard, plays } = player;
  session.save({ trial: { heard, plays, seconds: elapsed() } });
}

function elapsed() {
  return shown.before + (performance.now() - shown.since) / 1000;
}

/* The sounds of the question that have not been heard yet. */
function missing() {
  const enough = Math.min(ENOUGH, player.length);
  const { listened } = player;
  return shown.question.versions.filter((letter) => listened[letter] < enough - 0.001);
}

/* Bring the page up to date with the sounds. */
function refresh() {
  if (shown === null) return;
  const left = missing();
  for (const button of byId("versions").children) {
    button.setAttribute("aria-pressed", player.playing && button.dataset.version === player.current);
  }
  byId("play").textContent = player.playing ? "Pause" : "Play";
  byId("head").style.left = `${(100 * player.position) / player.length}%`;
  byId("time").textContent = `${player.position.toFixed(1)} of ${player.length.toFixed(1)} s`;
  setText("missing", toHear(left));
  byId("missing").hidden = shown.answered;
  for (const input of byId("fields").querySelectorAll("input")) {
    input.disabled = left.length > 0 || shown.answered;
  }
  byId("next").disabled = left.length > 0 || !byId("answers").checkValidity();
}

function toHear(left) {
  if (left.length === 0) return "";
  return shown.question.versions.length === 1
    ? "Please listen first."
    : `Still to hear: ${left.join(", ").toUpperCase()}.`;
}

function refreshForever() {
  if (!byId("trial").hidden) refresh();
  requestAnimationFrame(refreshForever);
}

// ---- the repeated part

function showLoop() {
  const { from, to, length } = player;
  for (const [id, value] of [["from", from], ["to", to]]) {
    const slider = byId(id);
    slider.max = length.toFixed(1);
    slider.value = value;
    slider.setAttribute("aria-valuetext", `${value.toFixed(1)} seconds`);
  }
  const whole = from === 0 && to === length;
  byId("whole").hidden = whole;
  byId("hint").hidden = !whole;
  byId("region").style.left = `${(100 * from) / length}%`;
  byId("region").style.right = `${100 - (100 * to) / length}%`;
}

function setLoop(from, to) {
  const shortest = Math.min(SHORTEST, player.length);
  const start = Math.max(0, Math.min(from, player.length - shortest));
  player.setLoop(start, Math.min(player.length, Math.max(to, start + shortest)));
  showLoop();
}

function loopFromSliders() {
  const to = Number(byId("to").value);
  const whole = to >= Number(byId("to").max);
  setLoop(Number(byId("from").value), whole ? player.length : to);
}

// ---- answers

function submitted(event) {
  event.preventDefault();
  if (shown.answered) next();
  else if (missing().length === 0) answered(new FormData(byId("answers")));
}

function answered(fields) {
  const { trial, step } = shown;
  const seconds = Math.round(elapsed() * 10) / 10;
  shown.answered = true;
  const difference = fields.get("heard_difference");
  const answer = {
    trial: trial.id,
    answer: fields.get("answer"),
    heard_difference: difference === null ? null : difference === "yes",
    level: step === null ? null : step.level,
    seconds,
    plays: { ...player.plays },
    at: new Date().toISOString(),
  };
  session.record(answer, stepsAfter(step, answer.answer));
  if (trial.training) tell(trial, fields.get("answer"), difference);
  else next();
  if (!session.complete) send();
}

function next() {
  player.pause();
  trialStep().catch(showError);
}

/* After a training trial, say whether the answer was right. The sounds can still be played. */
function tell(trial, answer, difference) {
  byId("feedback").textContent = verdict(trial, answer, difference);
  refresh();
  byId("next").focus();
}

function verdict({ kind, training: { correct } }, answer, difference) {
  if (kind === "natural") return "There is no wrong answer to this question.";
  if (correct === null) {
    const heard = difference === "yes" ? "There was no difference to hear" : "Right";
    return `${heard}: A, B and X were all the same.`;
  }
  const solution = {
    abx: `X was ${correct.toUpperCase()}.`,
    noise: `there ${correct === "yes" ? "was" : "was no"} noise in it.`,
    identical: `they ${correct === "yes" ? "were identical" : "differed"}.`,
    changed: `${correct.toUpperCase()} was changed.`,
  }[kind];
  return answer === correct ? `Right: ${solution}` : `Not quite: ${solution} You can listen again.`;
}

// ---- keys

const KEYS = {
  " ": () => toggle(),
  "[": () => setLoop(player.position, player.to),
  "]": () => setLoop(player.from, player.position),
  0: () => setLoop(0, player.length),
};
// Where the space key already does something else.
const OWN_SPACE = "button:not([data-version]), summary, [type=radio]:not(:checked)";

function pressed(event) {
  if (byId("trial").hidden || event.ctrlKey || event.altKey || event.metaKey) return;
  const key = event.key.toLowerCase();
  const act = actionOf(key, event.target);
  if (act === undefined) return;
  event.preventDefault();
  act();
}

function actionOf(key, target) {
  if (key === " " && target.matches(OWN_SPACE)) return undefined;
  if (key in KEYS) return KEYS[key];
  const button = byId("versions").querySelector(`[data-version="${CSS.escape(key)}"]`);
  if (button && !byId("versions").hidden) return () => (button.focus(), button.click());
  const labels = [...byId("fields").querySelectorAll("label")];
  const choice = labels.find((label) => label.querySelector("kbd").textContent === key);
  return choice && (() => (choice.querySelector("input").focus(), choice.click()));
}

/* Space played or paused when it went down; it must not press a sound's button as well. */
function released(event) {
  if (event.key === " " && event.target.matches("[data-version]")) event.preventDefault();
}

"use strict";
/* The steps of the test, at the listener's own pace: consent, headphones, level, trials, done.
 *
 * Each step is a section of the page, and one section is shown at a time. Answers are stored at once,
 * and sent if there is a server.
 */

const SERVER = document.querySelector("main").dataset.answers;

const session = new Session(new URLSearchParams(location.search));
let device = null; // opened by the first click: before that, browsers play nothing
let player = null;

// ---- steps

const STEPS = {
  consent: () => show("consent"),
  headphones: () => (STUDY.headphones && triesLeft() > 0 ? headphoneStep() : enter("level")),
  level: levelStep,
  trial: trialStep,
  done: doneStep,
};

function begin() {
  if (Number.isNaN(session.state.form)) {
    const last = STUDY.forms.length - 1;
    fail(`The address of this page asks for a form that does not exist. The forms are 0 to ${last}.`);
  } else if (["consent", "done"].includes(session.state.step)) STEPS[session.state.step]();
  else show("back");
}

function enter(step) {
  session.save({ step });
  return STEPS[step]();
}

/* Show one section, and let screen readers read its heading. */
function show(name) {
  for (const section of document.querySelectorAll("section")) section.hidden = section.id !== name;
  if (name !== "trial") byId("where").textContent = "";
  document.querySelector(`#${name} h1`).focus();
  window.scrollTo(0, 0);
}

function openAudio() {
  device ??= openDevice(STUDY.rate);
  player ??= new Player(device);
}

function agree() {
  session.save({ started: new Date().toISOString() });
  resume("headphones");
}

function resume(step) {
  openAudio();
  enter(step).catch(showError);
}

async function headphoneStep() {
  show("headphones");
  const found = await checkHeadphones(device);
  session.save({ headphones: { ...found, tries: TRIES - triesLeft() + 1 } });
  byId("again").hidden = triesLeft() === 0;
  byId("to-level").textContent = found.passed ? "Next" : "Continue without headphones";
  byId("to-level").classList.toggle("main", triesLeft() === 0);
  byId("verdict").textContent = found.passed
    ? "You seem to be wearing headphones. Thank you."
    : "You do not seem to be wearing headphones. If you have some, please put them on now;" +
      " without them, your answers may not count.";
  show("checked");
}

/* Listeners who fail the check may put headphones on and try once more. */
function triesLeft() {
  const { headphones } = session.state;
  if (headphones === null) return TRIES;
  return headphones.passed ? 0 : TRIES - headphones.tries;
}

async function levelStep() {
  const name = STUDY.levels[session.state.form];
  keepSounds(device, [{ sounds: { speech: name } }, session.trial]);
  setText("where", "Loading…");
  const speech = await sound(device, name);
  player.load({ speech, tone: toneBeside(speech, STUDY.tone) });
  show("level");
}

function toggleLevel(name) {
  if (player.playing && player.current === name) player.pause();
  else turnTo(name);
  for (const [id, text] of [["speech", "Play"], ["tone", "Play tone"]]) {
    const on = player.playing && player.current === id;
    byId(id).textContent = on ? "Stop" : text;
    byId(id).setAttribute("aria-pressed", on);
  }
  if (name === "speech") byId("level-set").disabled = false;
}

async function doneStep() {
  player?.pause();
  show("done");
  byId("code").textContent = session.code;
  await report();
}

function fail(what) {
  byId("what").textContent = what;
  byId("retry").hidden = session.state.step === "consent";
  show("problem");
}

function showError(error) {
  fail(`${error.message} Please check your connection, and try again.`);
}

// ---- results

/* Send the answers, if there is a server; resolves to whether they arrived. */
async function send() {
  try {
    const body = JSON.stringify(session.toJson());
    const headers = { "Content-Type": "application/json" };
    return SERVER !== "" && (await fetch(SERVER, { method: "POST", headers, body })).ok;
  } catch {
    return false;
  }
}

async function report() {
  byId("resend").hidden = true;
  if (SERVER === "") {
    setText("sent", "Please download your answers and send them to the person who gave you this test.");
  } else if (await send()) setText("sent", "Your answers have arrived. You can close this page.");
  else {
    setText("sent", "Your answers could not be sent. Try again, or download them and send them in yourself.");
    byId("resend").hidden = false;
  }
}

function download(suffix, type, text) {
  const name = session.listener.replace(/[^A-Za-z0-9-]+/g, "_");
  const address = URL.createObjectURL(new Blob([text], { type }));
  element("a", { href: address, download: `answers-${STUDY.study}-${name}.${suffix}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

// ---- helpers

function byId(id) {
  return document.getElementById(id);
}

/* Set a text only if it changes, so that screen readers read it once. */
function setText(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const CLICKS = {
  agree,
  decline: () => show("declined"),
  continue: () => resume(session.state.step),
  "to-level": () => resume("level"),
  again: () => resume("headphones"),
  speech: () => toggleLevel("speech"),
  tone: () => toggleLevel("tone"),
  "level-set": () => (player.pause(), resume("trial")),
  start: () => (session.save({ ready: true }), resume("trial")),
  play: () => toggle(),
  whole: () => setLoop(0, player.length),
  resend: () => report(),
  "as-json": () => download("json", "application/json", JSON.stringify(session.toJson(), null, 1)),
  "as-csv": () => download("csv", "text/csv", session.toCsv()),
  retry: () => resume(session.state.step),
};
for (const [id, act] of Object.entries(CLICKS)) byId(id).addEventListener("click", act);
for (const id of ["from", "to"]) byId(id).addEventListener("change", loopFromSliders);
byId("fields").addEventListener("change", refresh);
byId("answers").addEventListener("submit", submitted);
document.addEventListener("keydown", pressed);
document.addEventListener("keyup", released);
window.addEventListener("pagehide", keepTrial);
begin();
refreshForever();

"use strict";
/* Are headphones worn? Huggins pitch (Milne et al. 2021): noise that is the same in both ears, but for
 * a narrow band whose sign differs, has a faint tone in it that neither ear alone can hear, nor both
 * through loudspeakers. It is to be found in one of three bursts, six times.
 */

const PITCH = 600; // Hz
const BAND = 0.06; // of it, to either side
const BURST = 1; // seconds
const GAP = 0.5; // seconds
const LOUDNESS = 0.05; // root mean square, of full scale
const BURSTS = 3;
const ROUNDS = 6;
const NEEDED = 5; // by guessing, one in 56 gets so far
const TRIES = 2; // of all rounds; by guessing, one in 28 passes either

/* Let the listener find the tone in every round; resolves to what the answers have of it. */
async function checkHeadphones(device) {
  let right = 0;
  for (let round = 1; round <= ROUNDS; round += 1) {
    const odd = 1 + Math.floor(Math.random() * BURSTS);
    byId("round").textContent = `Round ${round} of ${ROUNDS}`;
    if ((await askBurst(device, odd)) === odd) right += 1;
  }
  return { right, of: ROUNDS, passed: right >= NEEDED };
}

function askBurst(device, odd) {
  const buttons = [...document.querySelectorAll("[data-burst]")];
  const noises = bursts(device.sampleRate, odd);
  const enable = (on) => buttons.forEach((button) => (button.disabled = !on));
  enable(false);
  byId("noises").focus();
  byId("noises").onclick = () => playOnce(device, noises).then(() => enable(true));
  return new Promise((resolve) => {
    for (const button of buttons) button.onclick = () => resolve(Number(button.dataset.burst));
  });
}

async function playOnce(device, buffer) {
  await device.resume();
  const source = new AudioBufferSourceNode(device, { buffer });
  source.connect(device.destination);
  byId("noises").disabled = true;
  source.start();
  await new Promise((resolve) => (source.onended = resolve));
  byId("noises").disabled = false;
}

/* Three bursts in stereo, one of which has the tone. */
function bursts(rate, odd) {
  const step = Math.round((BURST + GAP) * rate);
  const sampleRate = rate;
  const all = new AudioBuffer({ numberOfChannels: 2, length: BURSTS * step, sampleRate });
  for (let at = 0; at < BURSTS; at += 1) {
    const left = noise(Math.round(BURST * rate));
    const right = at + 1 === odd ? withBandTurned(left, rate) : left.slice();
    for (const ear of [left, right]) fadeEnds(ear, Math.round(0.01 * rate));
    all.copyToChannel(left, 0, at * step);
    all.copyToChannel(right, 1, at * step);
  }
  return all;
}

function noise(length) {
  const loudness = LOUDNESS * Math.sqrt(12); // of a uniform one
  return Float32Array.from({ length }, () => loudness * (Math.random() - 0.5));
}

/* The same samples with the sign of a band about the pitch turned round. */
function withBandTurned(samples, rate) {
  const { length } = samples;
  const turned = Float32Array.from(samples);
  const bin = (hertz) => Math.round((hertz * length) / rate);
  for (let k = bin(PITCH * (1 - BAND)); k <= bin(PITCH * (1 + BAND)); k += 1) {
    for (const wave of [Math.cos, Math.sin]) turn(turned, wave, (2 * Math.PI * k) / length);
  }
  return turned;
}

/* Turn round the sign of one tone in some samples; its step is in radians. */
function turn(samples, wave, step) {
  let weight = 0;
  for (let i = 0; i < samples.length; i += 1) weight += samples[i] * wave(step * i);
  weight *= 4 / samples.length; // twice what there is of it
  for (let i = 0; i < samples.length; i += 1) samples[i] -= weight * wave(step * i);
}

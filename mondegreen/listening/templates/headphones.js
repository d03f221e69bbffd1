"use strict";
/* The headphone check, by Huggins pitch (Milne et al. 2021): noise that is the same in both ears
 * except for the sign of a narrow band contains a faint tone. Neither ear alone can hear it, nor can
 * both through loudspeakers. The listener finds it in one of three bursts, six times.
 */

const PITCH = 600; // Hz
const BAND = 0.06; // of the pitch, to either side
const BURST = 1; // seconds
const GAP = 0.5; // seconds
const LOUDNESS = 0.05; // root mean square, full scale 1
const BURSTS = 3;
const ROUNDS = 6;
const NEEDED = 5; // one in 56 passes by guessing
const TRIES = 2; // at the whole check; one in 28 passes by guessing in either

/* Let the listener find the tone in every round; resolves to the result. */
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

/* Three bursts in stereo, one of which contains the tone. */
function bursts(rate, odd) {
  const step = Math.round((BURST + GAP) * rate);
  const sampleRate = rate;
  const all = new AudioBuffer({ numberOfChannels: 2, length: BURSTS * step, sampleRate });
  for (let at = 0; at < BURSTS; at += 1) {
    const left = noise(Math.round(BURST * rate));
    const right = at + 1 === odd ? withBandInverted(left, rate) : left.slice();
    for (const ear of [left, right]) fadeEnds(ear, Math.round(0.01 * rate));
    all.copyToChannel(left, 0, at * step);
    all.copyToChannel(right, 1, at * step);
  }
  return all;
}

function noise(length) {
  const loudness = LOUDNESS * Math.sqrt(12); // the standard deviation of uniform noise is 1 / sqrt(12)
  return Float32Array.from({ length }, () => loudness * (Math.random() - 0.5));
}

/* The same samples with the sign of a band around the pitch inverted. */
function withBandInverted(samples, rate) {
  const { length } = samples;
  const inverted = Float32Array.from(samples);
  const bin = (hertz) => Math.round((hertz * length) / rate);
  for (let k = bin(PITCH * (1 - BAND)); k <= bin(PITCH * (1 + BAND)); k += 1) {
    for (const wave of [Math.cos, Math.sin]) invert(inverted, wave, (2 * Math.PI * k) / length);
  }
  return inverted;
}

/* Invert the sign of one frequency in some samples; its step is in radians. */
function invert(samples, wave, step) {
  let weight = 0;
  for (let i = 0; i < samples.length; i += 1) weight += samples[i] * wave(step * i);
  weight *= 4 / samples.length; // twice its amplitude, to subtract
  for (let i = 0; i < samples.length; i += 1) samples[i] -= weight * wave(step * i);
}

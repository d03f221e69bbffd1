"use strict";
/* Sounds that play in parallel, of which one is audible.
 *
 * All versions of a clip start at the same time of the audio clock, loop with the same length, and
 * keep running while the listener switches: a switch is a crossfade of 5 ms between two gains. No
 * version is made louder or softer than another: one gain, the study's, applies to everything.
 */

const FADE = 0.005; // seconds; equal gain, so that the level of similar versions does not dip
const AHEAD = 0.01; // seconds; what is scheduled any sooner might start late
const TONE = 1000; // Hz, for calibration

/* An audio device at the clips' sample rate, or at its own if it does not support theirs. */
function openDevice(rate) {
  try {
    return new AudioContext({ sampleRate: rate });
  } catch {
    return new AudioContext();
  }
}

class Player {
  constructor(device) {
    this.device = device;
    this.run = null; // what is playing
    this.load({});
  }

  /* Replace the sounds, by name and of one length; `heard` is how long each was heard before, in seconds. */
  load(buffers, heard = {}, plays = {}) {
    this.pause();
    this.buffers = buffers;
    this.names = Object.keys(buffers);
    this.length = Math.min(...this.names.map((name) => buffers[name].duration));
    this.heard = Object.fromEntries(this.names.map((name) => [name, heard[name] ?? 0]));
    this.plays = Object.fromEntries(this.names.map((name) => [name, plays[name] ?? 0]));
    this.current = this.names[0];
    this.setLoop(0, this.length);
  }

  get playing() {
    return this.run !== null;
  }

  /* Make a sound audible, at the position of the others, or where they stopped. */
  play(name) {
    if (this.playing && name === this.current) return;
    this.plays[name] += 1;
    if (this.playing) this.#switchTo(name);
    else this.#start(name);
  }

  pause() {
    if (!this.playing) return;
    this.#account();
    const { master, voices, free } = this.run;
    const when = Math.max(this.device.currentTime + AHEAD, free);
    this.at = this.#offset(when);
    ramp(master, STUDY.gain, 0, when);
    for (const { source } of Object.values(voices)) source.stop(when + FADE);
    this.run = null;
  }

  /* Repeat a part of the clip; in seconds. */
  setLoop(from, to) {
    const again = this.playing;
    this.pause();
    [this.from, this.to, this.at] = [from, to, 0];
    this.regions = Object.entries(this.buffers).map(([name, buffer]) => [name, cut(buffer, from, to)]);
    if (again) this.#start(this.current);
  }

  /* The position in the clip, in seconds. */
  get position() {
    return this.from + (this.playing ? this.#offset(this.device.currentTime) : this.at);
  }

  /* How long each version was heard, in seconds. */
  get listened() {
    if (this.playing) this.#account();
    return this.heard;
  }

  #start(name) {
    const when = this.device.currentTime + AHEAD;
    const master = new GainNode(this.device, { gain: 0 });
    master.connect(this.device.destination);
    ramp(master, 0, STUDY.gain, when);
    const voices = {};
    for (const [version, buffer] of this.regions) {
      const source = new AudioBufferSourceNode(this.device, { buffer, loop: true });
      const gain = new GainNode(this.device, { gain: version === name ? 1 : 0 });
      source.connect(gain).connect(master);
      source.start(when, this.at);
      voices[version] = { source, gain };
    }
    this.current = name;
    this.run = { when, at: this.at, since: when, free: when + FADE, master, voices };
  }

  #switchTo(name) {
    this.#account();
    const when = Math.max(this.device.currentTime + AHEAD, this.run.free);
    ramp(this.run.voices[this.current].gain, 1, 0, when);
    ramp(this.run.voices[name].gain, 0, 1, when);
    this.current = name;
    this.run.since = when;
    this.run.free = when + FADE; // when the next switch may begin
  }

  #account() {
    const now = this.device.currentTime;
    this.heard[this.current] += Math.max(0, now - this.run.since);
    this.run.since = Math.max(now, this.run.since);
  }

  #offset(time) {
    const length = this.regions[0][1].duration;
    return (Math.max(0, time - this.run.when) + this.run.at) % length;
  }
}

/* A tone as long as a sound, with a root mean square relative to full scale. */
function toneBeside({ length, sampleRate }, loudness) {
  const tone = new AudioBuffer({ length, sampleRate });
  const step = (2 * Math.PI * TONE) / sampleRate;
  const samples = Float32Array.from({ length }, (_, i) => Math.SQRT2 * loudness * Math.sin(step * i));
  tone.copyToChannel(samples, 0);
  return tone;
}

function ramp(node, from, to, when) {
  node.gain.setValueAtTime(from, when);
  node.gain.linearRampToValueAtTime(to, when + FADE);
}

/* A part of a sound, with faded ends so that its loop does not click; all versions alike. */
function cut(buffer, from, to) {
  const rate = buffer.sampleRate;
  const samples = buffer.getChannelData(0).slice(Math.round(from * rate), Math.round(to * rate));
  fadeEnds(samples, Math.min(Math.round(FADE * rate), samples.length >> 1));
  const part = new AudioBuffer({ length: samples.length, sampleRate: rate });
  part.copyToChannel(samples, 0);
  return part;
}

function fadeEnds(samples, length) {
  for (let i = 0; i < length; i += 1) {
    samples[i] *= i / length;
    samples[samples.length - 1 - i] *= i / length;
  }
}

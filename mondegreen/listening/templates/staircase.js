"use strict";
/* The level of a change, which adapts to the listener (QUEST, Watson and Pelli 1983).
 *
 * Levels are in dB relative to the file. A staircase begins at 0 dB, with the file as it is; then the
 * level is the mean of the thresholds that the answers so far make probable. Each clip is a track
 * with a threshold of its own, near the listener's, of which the other tracks tell.
 */

/* The level of the next trial of a track, given all steps of the form. */
function nextLevel(steps, [staircase, track]) {
  const { lowest, loudest, beyond, spread } = STUDY.staircase;
  const thresholds = Array.from({ length: loudest - lowest + 2 * beyond + 1 }, (_, i) => lowest - beyond + i);
  const mine = steps.filter((step) => step.track[0] === staircase);
  const likelihood = (one) => {
    const answers = mine.filter((step) => step.track[1] === one);
    const p = ({ level, right }, t) => (right ? chance(level - t) : 1 - chance(level - t));
    return thresholds.map((t) => answers.reduce((product, answer) => product * p(answer, t), 1));
  };
  const others = [...new Set(mine.map((step) => step.track[1]))].filter((one) => one !== track);
  const prior = thresholds.map((t) => Math.exp(-0.5 * (t / spread) ** 2));
  const listener = others.map((one) => amongClips(likelihood(one))).reduce(times, prior);
  const weights = times(amongClips(listener), likelihood(track));
  return Math.min(loudest, Math.max(lowest, Math.round(total(times(weights, thresholds)) / total(weights))));
}

/* Weights of a listener's thresholds as those of a clip's, and the other way around. */
function amongClips(weights) {
  const near = (i, j) => Math.exp(-0.5 * ((i - j) / STUDY.staircase.clips) ** 2);
  return weights.map((_, i) => total(weights.map((weight, j) => weight * near(i, j))));
}

function times(some, others) {
  return some.map((value, i) => value * others[i]);
}

function total(values) {
  return values.reduce((sum, value) => sum + value, 0);
}

/* The probability of a right answer so many dB above the threshold. */
function chance(decibels) {
  const { slope, lapse } = STUDY.staircase;
  return 0.5 + (0.5 - lapse) * (1 - 2 ** -(10 ** ((slope * decibels) / 10)));
}

/* Which of A and B differs from X: the page does not know it, but it can hear. */
function changedOf({ a, b, x }) {
  const differs = (sound) => sound.getChannelData(0).some((value, i) => value !== x.getChannelData(0)[i]);
  return differs(a) ? "a" : "b";
}

/* A changed sound with its change at a level. */
function atLevel(changed, original, level) {
  const [samples, clean] = [changed.getChannelData(0), original.getChannelData(0)];
  const gain = 10 ** (level / 20);
  const { length, sampleRate } = changed;
  const made = new AudioBuffer({ length, sampleRate });
  made.copyToChannel(samples.map((value, i) => clean[i] + gain * (value - clean[i])), 0);
  return made;
}

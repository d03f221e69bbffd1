"use strict";
/* Sounds are scripts that lie beside the page: a page opened from a disk may not read files. */

const awaited = new Map(); // by name: what to do with a sound when it arrives
const sounds = new Map(); // by name: the promise of the decoded sound

/* The function that the script of a sound calls. */
function receive(name, data) {
  awaited.get(name)?.(data);
}

/* The promise of a sound, decoded once, at the device's rate. */
function sound(device, name) {
  if (!sounds.has(name)) {
    const promise = bring(name).then((data) => device.decodeAudioData(bytes(data)));
    promise.catch(() => sounds.delete(name)); // so that it is tried again
    sounds.set(name, promise);
  }
  return sounds.get(name);
}

/* The sounds of a trial, by the letters that the listener sees. */
async function soundsOf(device, trial) {
  const names = Object.entries(trial.sounds);
  const decoded = await Promise.all(names.map(([, name]) => sound(device, name)));
  return Object.fromEntries(names.map(([letter], i) => [letter, decoded[i]]));
}

/* Keep only the sounds of these trials, and start loading those that are missing. */
function keepSounds(device, trials) {
  const wanted = new Set(trials.flatMap((trial) => Object.values(trial.sounds)));
  for (const name of sounds.keys()) if (!wanted.has(name)) sounds.delete(name);
  for (const name of wanted) sound(device, name).catch(() => {}); // reported when it is needed
}

function bring(name) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    const end = () => {
      awaited.delete(name);
      script.remove();
      reject(new Error(`The sound ${name} could not be loaded.`));
    };
    awaited.set(name, resolve);
    script.addEventListener("load", end);
    script.addEventListener("error", end);
    script.src = `audio/${name}.js`;
    document.head.append(script);
  });
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)).buffer;
}

"""Hostile inputs for everything that reads: sound files changed at random, read as users do.

    python tests/fuzzing.py --inputs 100000
    python tests/fuzzing.py --inputs 1 --kind audio --first 4711      one of them again

An input is taken, or refused by a MondegreenError of one short text. Anything else ends the program
with its number: another exception, a hang, more than `MEMORY`. Each kind is read in a
process of its own.
"""

from __future__ import annotations

import argparse
import faulthandler
import io
import json
import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import soundfile
import tomli_w
from listening_studies import (
    abx_key,
    guesser,
    paper_key,
    session,
    staircase_key,
    with_threshold,
    write_csv,
)
from mutations import as_json, changed_bytes, changed_value
from records import BOUNDED, DRY, IN_ROOMS
from report_runs import sign, sound_item, sound_run
from safetensors.numpy import save as as_safetensors

from mondegreen.audio.pcm import load
from mondegreen.data.census import look
from mondegreen.data.sources import read_clips
from mondegreen.errors import MondegreenError
from mondegreen.listening.answers import read_answers
from mondegreen.listening.key import read_key
from mondegreen.listening.score import score
from mondegreen.report.numbers.sources import gather
from mondegreen.report.numbers.tables import collect
from mondegreen.results.item import read_item, read_record
from mondegreen.results.levels import levels_of
from mondegreen.results.sounds import read_sounds
from mondegreen.runs.config import read_config
from mondegreen.runs.manifest import check_same
from mondegreen.runs.plan import read_rows

HANG = 120.0  # s that `TOGETHER` inputs may take, on a busy machine too
TOGETHER = 100
PROGRESS = 20.0  # s between two lines of progress
MEMORY = 2**30  # bytes that a process may hold, with all that it has imported
LONGEST = 4_000  # characters of an error
SHARES = {"audio": 40, "manifest": 12, "configuration": 10, "record": 12, "item": 6, "run": 6}
SHARES |= {"bank": 4, "answers": 10, "whisper": 1}


@dataclass(frozen=True)
class Tally:
    """What became of the inputs of a kind."""

    kind: str
    inputs: int
    taken: int
    refused: int
    slowest: float  # s
    seconds: float  # in all
    peak: float  # MiB


class Kind:
    """Sound files of a kind, each a name with its content, and how they are read."""

    seeds: Mapping[str, bytes | Any]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.make()

    def make(self) -> None:
        """Make the seeds, and what lies beside the files."""

    def write(self, rng: Random) -> Path:
        """Write an ill file: bytes are changed as bytes, and plain data also as values."""
        name = rng.choice(list(self.seeds))
        seed = self.seeds[name]
        path = self.folder / name
        if isinstance(seed, bytes):
            others = [one for one in self.seeds.values() if isinstance(one, bytes)]
            path.write_bytes(changed_bytes(seed, others, rng))
        else:
            content = as_json(changed_value(seed, rng) if rng.random() < 0.8 else seed, rng)
            ill = rng.random() < 0.3
            path.write_bytes(changed_bytes(content, [content], rng) if ill else content)
        return path

    def read(self, path: Path) -> None:
        """Read it as users do."""
        raise NotImplementedError


class Audio(Kind):
    """Recordings in every container that libsndfile writes, in up to three sample formats."""

    def make(self) -> None:
        tone = 0.3 * np.sin(np.arange(2_400) * 0.2)
        self.seeds = {}
        # SD2 leaves a file "._" in the working folder, which libsndfile then reads in place of MP3s
        for container in sorted(soundfile.available_formats().keys() - {"SD2"}):
            for subtype in list(soundfile.available_subtypes(container))[:3]:
                for rate, channels in ((16_000, 1), (8_000, 2)):
                    file = io.BytesIO()
                    samples = np.stack([tone] * channels, axis=1)
                    try:
                        soundfile.write(file, samples, rate, subtype, format=container)
                    except (soundfile.SoundFileError, TypeError):  # not every pair exists
                        continue
                    name = f"{container}-{subtype}-{channels}.{container.lower()}"
                    self.seeds = {**self.seeds, name: file.getvalue()}

    def read(self, path: Path) -> None:
        look(path)
        load(path, 16_000)


class Manifest(Kind):
    """Lists of clips: JSON Lines, tables, and transcripts laid out like LibriSpeech."""

    def make(self) -> None:
        rows = [
            {"audio_filepath": f"{n}.wav", "text": "nothing", "target": "open", "duration": 1.5}
            for n in range(3)
        ]
        lines = "\n".join(json.dumps({**row, "id": n}) for n, row in enumerate(rows))
        table = "audio\ttext\tid\na.wav\tsaid\t1\nb.wav\t\t2\n"
        self.seeds = {
            "a.jsonl": lines.encode(),
            "b.tsv": table.encode(),
            "c.csv": table.replace("\t", ",").encode() + b'"d,e.wav","f""g",3\n',
            "1-2.trans.txt": b"1-2-0000 SOME WORDS\n1-2-0001 MORE\n",
            "d.json": rows[0],
        }

    def read(self, path: Path) -> None:
        source = self.folder if path.suffix == ".txt" else path
        read_clips(str(source), self.folder)


class Configuration(Kind):
    """Configurations of runs."""

    def make(self) -> None:
        options = {"clips": "hf:a::b", "method": "robust", "max_passes": 50, "seed": 1}
        more = {"targets": "paper", "limit": 3, "victim": "a:b", "exact": True}
        self.all: tuple[dict[str, Any], ...] = (options, {**options, **more, "batch": 2})
        self.seeds = {
            **{f"{n}.toml": tomli_w.dumps(one).encode() for n, one in enumerate(self.all)},
            "c.toml": b'[a]\nb.c = "d"\n[[e]]\nf = [1, 2.5, {g = 2026-01-01}]\n',
        }

    def write(self, rng: Random) -> Path:
        path = self.folder / "changed.toml"
        try:
            text = tomli_w.dumps(changed_value(rng.choice(self.all), rng))
            path.write_bytes(text.encode("utf-8", "surrogatepass"))
        except (TypeError, AttributeError):  # TOML knows no None, and is a table
            return super().write(rng)
        return path

    def read(self, path: Path) -> None:
        read_config(path, {})


class Records(Kind):
    """Records of items."""

    def make(self) -> None:
        (self.folder / "record.json").touch()
        records = (DRY, BOUNDED, IN_ROOMS)
        self.seeds = {f"{n}/record.json": one.to_json() for n, one in enumerate(records)}
        for name in self.seeds:
            (self.folder / name).parent.mkdir()

    def read(self, path: Path) -> None:
        record = read_record(path.parent)
        json.dumps(record.to_json(), allow_nan=False)


class Item(Kind):
    """The files beside a record that has their hashes, whatever is in them."""

    def make(self) -> None:
        made = sound_item(self.folder / "item", seconds=0.3)
        self.record = json.loads((made / "record.json").read_text())
        names = ("adversarial.wav", "delta.safetensors", "levels.safetensors")
        self.whole = {f"item/{name}": (made / name).read_bytes() for name in names}
        other = as_safetensors({"delta": np.zeros(4, np.int16)}, {"axes": "[]"})
        self.seeds = {**self.whole, "item/other": other}

    def write(self, rng: Random) -> Path:
        for name, content in self.whole.items():
            (self.folder / name).write_bytes(content)
        path = super().write(rng)
        sign(path.parent, self.record)
        return path.parent

    def read(self, path: Path) -> None:
        read_item(path)
        read_sounds(path, read_record(path))
        levels_of(path, read_record(path))


class Run(Kind):
    """The files of a run: all of it is gathered for a page, and collected into tables."""

    def make(self) -> None:
        rooms = {"bank": "b" * 64}
        self.run = sound_run(
            self.folder / "run",
            {"a": {"pesq_c2": 4.0}, "b": {"verified": False, **rooms}},
            errors={"c": "it is silent"},
            pending=["later"],
        )
        how = {"listener": "m", "beams": 1, "dtype": "float32", "batch": None}
        heard = {"how": how, "whole": True, "items": 1, "claims": []}
        sanity = {"whole": True, "items": {}, "sample": 3, "seed": 0, "findings": []}
        (self.run / "heard").mkdir()
        (self.run / "heard" / "a.json").write_text(json.dumps(heard))
        (self.run / "sanity.json").write_text(json.dumps(sanity))
        manifest = json.loads((self.run / "manifest.json").read_text())
        manifest |= {"identity": {"configuration": {}}, "begun": "now", "calls": []}
        self.seeds = {
            "run/manifest.json": manifest,
            "run/clips.jsonl": (self.run / "clips.jsonl").read_bytes(),
            **{
                f"run/{name}": json.loads((self.run / name).read_text())
                for name in (
                    *("items/a/record.json", "items/b/record.json", "errors/c.json"),
                    *("heard/a.json", "sanity.json"),
                )
            },
        }
        self.whole = {name: (self.folder / name).read_bytes() for name in self.seeds}
        self.config = read_config(None, {"clips": "a.csv"})
        self.reads = 0

    def write(self, rng: Random) -> Path:
        for name, content in self.whole.items():
            (self.folder / name).write_bytes(content)
        return super().write(rng)

    def read(self, path: Path) -> None:
        self.reads += 1
        if path.name == "manifest.json":
            refused_or_not(lambda: check_same(self.run, self.config))
        if path.name == "clips.jsonl":
            refused_or_not(lambda: read_rows(self.run))
        if self.reads % 10 == 0:
            collect(self.run)
        gather([[self.run]])


class Bank(Kind):
    """Banks of rooms, half of them with a checksum that fits."""

    def make(self) -> None:
        from toy import toy_bank

        path = self.folder / "bank.rooms"
        toy_bank({"attack": 2, "test": 1}).save(path)
        self.seeds = {"bank.rooms": path.read_bytes()}

    def write(self, rng: Random) -> Path:
        if rng.random() < 0.5:
            return super().write(rng)
        from safetensors import safe_open

        from mondegreen.air.rooms.bank import FORMAT, _checksum

        path = self.folder / "bank.rooms"
        path.write_bytes(self.seeds["bank.rooms"])
        with safe_open(path, "pt") as file:
            about = json.loads(file.metadata()[FORMAT])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = changed_value(about, rng)
        if isinstance(about, dict):
            about.pop("sha256", None)
            about["sha256"] = _checksum(about, tensors)
        from safetensors.torch import save

        path.write_bytes(save(tensors, {FORMAT: as_json(about, rng).decode("utf-8", "replace")}))
        return path

    def read(self, path: Path) -> None:
        from mondegreen.air.rooms import RoomBank

        RoomBank.load(path)


class Answers(Kind):
    """Answers to studies, in both forms, and the keys of the studies."""

    def make(self) -> None:
        self.seeds = {}
        studies = {
            "abx": (abx_key(forms=2, each=2), guesser),
            "paper": (paper_key(forms=1), guesser),
            "staircase": (staircase_key(), with_threshold(0.0)),
        }
        for name, (key, listener) in studies.items():
            at = self.folder / name
            at.mkdir()
            sessions = [session(key, f"listener {n}", listener) for n in range(2)]
            write_csv(at / "all.csv", sessions[:1])
            table = (at / "all.csv").read_bytes()
            self.seeds |= {f"{name}/key.json": key, f"{name}/0.json": sessions[0]}
            self.seeds |= {f"{name}/all.csv": table}
            (at / "sound.json").write_text(json.dumps(key))

    def read(self, path: Path) -> None:
        if path.name == "key.json":
            read_key(path)
            return
        key = read_key(path.parent / "sound.json")
        score(key, read_answers([path], key))


class Formats(Kind):
    """Whisper as others keep it: OpenAI's archive, CTranslate2's and whisper.cpp's files."""

    def make(self) -> None:
        import torch
        import whisper_files as wf

        model = wf.whisper()
        archive = io.BytesIO()
        torch.save(wf.openai_checkpoint(model), archive)
        folder = wf.ct2_folder(self.folder / "folder", model, torch.int8)
        names = ("model.bin", "config.json", "vocabulary.json")
        self.whole = {f"folder/{name}": (folder / name).read_bytes() for name in names}
        others = {
            "tiny.pt": archive.getvalue(),
            "ggml.bin": wf.ggml_bytes(model, "q5_1", wf.mel_filters(), wf.pieces(False)),
        }
        self.seeds = {**self.whole, **others}
        (self.folder / "tokenizer.json").write_text(json.dumps(wf.tokenizer_json(False)))

    def write(self, rng: Random) -> Path:
        for name, content in self.whole.items():
            (self.folder / name).write_bytes(content)
        path = super().write(rng)
        return path if path.parent == self.folder else path.parent

    def read(self, path: Path) -> None:
        from mondegreen.victims.load import load_victim

        load_victim(str(path), device="cpu")


KINDS: dict[str, type[Kind]] = {
    **{"audio": Audio, "manifest": Manifest, "configuration": Configuration, "record": Records},
    **{"item": Item, "run": Run, "bank": Bank, "answers": Answers},
    "whisper": Formats,
}


def refused_or_not(read: Callable[[], object]) -> bool:
    """Read an input; whether it was refused, as it should be."""
    try:
        read()
    except MondegreenError as error:
        text = str(error)
        assert text.strip(), "an error without a text"
        assert len(text) <= LONGEST, f"an error of {len(text)} characters"
        return True
    return False


def attack(kind: Kind, name: str, numbers: Sequence[int], seed: int, now: Path) -> Tally:
    """Read the inputs of these numbers; `now` holds the one at hand, should the process die."""
    refused, slowest, began = 0, 0.0, time.perf_counter()
    with now.open("wb", buffering=0) as file:
        for done, number in enumerate(numbers):
            if done % TOGETHER == 0:
                faulthandler.dump_traceback_later(HANG, exit=True)
            os.pwrite(file.fileno(), f"{number:<12}".encode(), 0)
            path = kind.write(Random(f"{seed} {name} {number}"))
            start = time.perf_counter()
            refused += refused_or_not(lambda: kind.read(path))  # noqa: B023
            slowest = max(slowest, time.perf_counter() - start)
    faulthandler.cancel_dump_traceback_later()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    seconds = time.perf_counter() - began
    return Tally(name, len(numbers), len(numbers) - refused, refused, slowest, seconds, peak)


def limit_memory() -> None:
    """Let this process take no more address space than it has now, and `MEMORY`."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def child(name: str, numbers: Sequence[int], seed: int, folder: Path) -> None:
    """Read the inputs of a kind in this process, and leave the tally, or what was said."""
    said = (folder / "said").open("w", buffering=1)
    os.dup2(said.fileno(), 1)  # decoders of sound are talkative
    os.dup2(said.fileno(), 2)
    sys.stdout = sys.stderr = said
    kind = KINDS[name](folder / "files")
    limit_memory()
    tally = attack(kind, name, numbers, seed, folder / "now")
    assert tally.peak * 2**20 <= MEMORY, f"it has taken {tally.peak:.0f} MiB"
    (folder / "tally").write_text(json.dumps(asdict(tally)))


def _text(path: Path) -> str:
    return path.read_text(errors="replace").strip() if path.exists() else ""


def parent(name: str, numbers: Sequence[int], seed: int = 0) -> Tally:
    """Read the inputs of a kind in a process of its own.

    Raises:
        AssertionError: that failed; on which input, and how.
    """
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112
    with tempfile.TemporaryDirectory(dir=memory) as at:
        folder = Path(at)
        (folder / "files").mkdir()
        process = get_context("fork").Process(target=child, args=(name, numbers, seed, folder))
        process.start()
        while process.is_alive():
            process.join(PROGRESS)
            if process.is_alive():
                print(f"{name}: at input {_text(folder / 'now')}", file=sys.stderr, flush=True)
        if process.exitcode == 0:
            return Tally(**json.loads((folder / "tally").read_text()))
        number, said = _text(folder / "now") or "0", _text(folder / "said")
        again = f"python tests/fuzzing.py --inputs 1 --kind {name} --first {number} --seed {seed}"
        # a hang is told from its innermost call, an exception to it
        shown = said if len(said) <= 4_000 else f"{said[:2_000]}\n...\n{said[-2_000:]}"
        raise AssertionError(f"{shown}\nended with {process.exitcode}; again: {again}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read so many inputs of all kinds, or of one, and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--kind", choices=KINDS)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    names = [given.kind] if given.kind else list(KINDS)
    total = sum(SHARES[name] for name in names)
    print("| kind | inputs | taken | refused | slowest, s | time, s | peak, MiB |")
    print("|---|---|---|---|---|---|---|")
    for name in names:
        inputs = -(-given.inputs * SHARES[name] // total)
        found = parent(name, range(given.first, given.first + inputs), given.seed)
        counts = f"{found.inputs:,} | {found.taken:,} | {found.refused:,}"
        times = f"{found.slowest:.2f} | {found.seconds:.0f} | {found.peak:.0f}"
        print(f"| {name} | {counts} | {times} |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except Exception:
        traceback.print_exc()
        sys.exit(1)

"""Figures of a clip, and of rooms. Arrays in, picture files out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib

matplotlib.use("Agg")  # draw to files; there may be no screen

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from mondegreen.errors import MondegreenError

if TYPE_CHECKING:
    from mondegreen.evaluation.spectra import Spectra
    from mondegreen.rooms.bank import Room
    from mondegreen.rooms.survey import Portrait

LEVELS_DB = (0.0, 96.0)
EXCESS_DB = 20.0  # where the colours of the excess end
COLOURS = "magma"  # even in lightness, and safe for the colour-blind


def draw_threshold(spectra: Spectra, path: Path, title: str) -> None:
    """Clip, maskers and threshold over time and frequency, and all three in the loudest frame."""
    figure, (clip, theta, frame) = plt.subplots(3, 1, figsize=(10, 10.5), layout="constrained")
    figure.suptitle(title)
    image = _spectrogram(clip, spectra, spectra.clip, "clip, and its maskers (dots)")
    at, bins = np.nonzero(spectra.maskers)
    clip.plot(spectra.seconds[at], spectra.hertz[bins] / 1000, ",", color="cyan", alpha=0.6)
    _spectrogram(theta, spectra, spectra.theta, "masking threshold θ")
    figure.colorbar(image, ax=[clip, theta], label="dB, the clip's loudest bin at 96")
    _frame(frame, spectra, int(spectra.clip.max(1).argmax()))
    _save(figure, path)


def draw_example(spectra: Spectra, path: Path, title: str, heard: tuple[str, str]) -> None:
    """A clip and its perturbation, what was heard before and after, and δ against θ."""
    assert spectra.delta is not None
    figure, axes = plt.subplots(4, 1, figsize=(10, 13), layout="constrained")
    clip, delta, excess, levels = axes
    figure.suptitle(title)
    image = _spectrogram(clip, spectra, spectra.clip, f"clip, heard as “{heard[0]}”")
    _spectrogram(delta, spectra, spectra.delta, f"δ alone; with it, heard as “{heard[1]}”")
    figure.colorbar(image, ax=[clip, delta], label="dB, the clip's loudest bin at 96")
    over = _excess(excess, spectra, spectra.delta)
    figure.colorbar(over, ax=excess, label="dB above θ", extend="max")
    _levels(levels, spectra, spectra.delta)
    _save(figure, path)


def draw_rooms(portrait: Portrait, path: Path, title: str) -> None:
    """One room of a bank, how it answers an impulse, and what all the bank's rooms are like."""
    figure, (plan, answer, spread) = plt.subplots(1, 3, figsize=(14, 4.6), layout="constrained")
    figure.suptitle(title)
    _plan(plan, portrait.room)
    _answer(answer, portrait)
    for name, (rt60, drr) in portrait.spread.items():
        spread.plot(rt60, drr, ".", ms=4, alpha=0.6, label=f"{name}: {len(rt60)}")
    spread.set(xlabel="RT60, s", ylabel="direct to reverberant, dB")
    spread.set_title("all rooms of the bank", loc="left", fontsize=10)
    spread.grid(alpha=0.2)
    spread.legend(fontsize=8)
    _save(figure, path)


def _plan(axes: Axes, room: Room) -> None:
    """The room from above; of a measured one nothing is known but its name."""
    axes.set_title(f"{room.id}, from above", loc="left", fontsize=10)
    if room.size is None or room.source is None or room.microphone is None:
        axes.text(0.5, 0.5, "measured: its plan is not known", ha="center", va="center")
        axes.set_axis_off()
        return
    width, length, height = room.size
    axes.add_patch(Rectangle((0, 0), width, length, fill=False, lw=2))
    for label, marker, (x, y, z) in (
        ("source", "o", room.source),
        ("microphone", "^", room.microphone),
    ):
        axes.plot(x, y, marker, ms=8, label=f"{label}, {z:.1f} m up")
    axes.set(xlabel="m", ylabel=f"m; the room is {height:.1f} m high", aspect="equal")
    axes.set(xlim=(-0.3, width + 0.3), ylim=(-0.3, length + 0.3))
    axes.legend(fontsize=8, loc="best")


def _answer(axes: Axes, portrait: Portrait) -> None:
    size = np.abs(portrait.rir)
    levels = 20 * np.log10(np.maximum(size / size.max(), 10 ** (-90 / 20)))
    axes.plot(portrait.seconds, levels, color="0.6", lw=0.5, label="impulse response")
    axes.plot(portrait.seconds, portrait.decay_db, color="C0", label="energy still to come")
    rt60 = "unknown" if portrait.room.rt60 is None else f"{portrait.room.rt60:.2f} s"
    axes.set_title(f"its answer to an impulse; RT60 {rt60}", loc="left", fontsize=10)
    axes.set(xlabel="seconds", ylabel="dB", ylim=(-90, 5))
    axes.grid(alpha=0.2)
    axes.legend(loc="upper right", fontsize=8)


def _spectrogram(axes: Axes, spectra: Spectra, levels: NDArray[np.float64], title: str) -> QuadMesh:
    low, high = LEVELS_DB
    mesh = axes.pcolormesh(
        spectra.seconds, spectra.hertz / 1000, levels.T, vmin=low, vmax=high, cmap=COLOURS
    )
    mesh.set_rasterized(True)
    axes.set(xlabel="seconds", ylabel="kHz")
    axes.set_title(title, loc="left", fontsize=10, wrap=True)
    return mesh


def _excess(axes: Axes, spectra: Spectra, delta: NDArray[np.float64]) -> QuadMesh:
    """How far δ stands above θ, white where it does not."""
    over = np.maximum(delta - spectra.theta, 0)
    share = (over[:, spectra.heard] > 0).mean()
    mesh = axes.pcolormesh(
        spectra.seconds, spectra.hertz / 1000, over.T, vmin=0, vmax=EXCESS_DB, cmap="Reds"
    )
    mesh.set_rasterized(True)
    axes.set(xlabel="seconds", ylabel="kHz")
    title = f"δ above the masking threshold θ: {share:.1%} of all bins"
    axes.set_title(title, loc="left", fontsize=10)
    return mesh


def _frame(axes: Axes, spectra: Spectra, at: int) -> None:
    khz = spectra.hertz / 1000
    maskers = spectra.maskers[at]
    axes.plot(khz, spectra.clip[at], color="0.6", lw=0.8, label="clip")
    axes.plot(khz[maskers], spectra.clip[at][maskers], "o", ms=4, color="C1", label="maskers")
    axes.plot(khz, spectra.theta[at], color="C0", label="threshold θ")
    axes.set_title(f"the loudest frame, at {spectra.seconds[at]:.2f} s", loc="left", fontsize=10)
    _finish(axes)


def _levels(axes: Axes, spectra: Spectra, delta: NDArray[np.float64]) -> None:
    """Mean levels over the clip, and the range of δ that nine frames in ten keep to."""
    khz = spectra.hertz / 1000
    axes.plot(khz, spectra.clip.mean(0), color="0.6", lw=0.8, label="clip, mean level")
    axes.plot(khz, spectra.theta.mean(0), color="C0", label="threshold θ, mean level")
    axes.plot(khz, delta.mean(0), color="C1", label="δ, mean level")
    low, high = np.percentile(delta, [5, 95], axis=0)
    axes.fill_between(khz, low, high, color="C1", alpha=0.2, lw=0, label="δ, nine frames in ten")
    axes.set_title("δ against θ", loc="left", fontsize=10)
    _finish(axes)


def _finish(axes: Axes) -> None:
    axes.set(xlabel="kHz", ylabel="dB", ylim=(-20, 100), xlim=(0, None))
    axes.grid(alpha=0.2)
    axes.legend(loc="upper right", fontsize=8)


def _save(figure: Figure, path: Path) -> None:
    try:
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:
        raise MondegreenError(
            f"the picture {path} could not be written: {error}. Name a .png, .svg or .pdf file in a"
            " folder that exists."
        ) from error
    finally:
        plt.close(figure)

"""A function of one's own between the sound and the recogniser: what it may be, what is said."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mondegreen.air.transformations import Draws
from mondegreen.chain.names import is_own, link
from mondegreen.errors import MondegreenError, OptionError, RecogniserError, VictimError

RATE = 8000
MODULE = """
import sys
import numpy as np
import torch
from torch import Tensor

def half(audio, sample_rate):
    assert isinstance(audio, np.ndarray) and audio.dtype == np.float32
    return audio / 2

def wider(audio, sample_rate): return audio.astype(np.float64) / 2
def writes(audio, sample_rate):
    audio *= 0.5
    return audio
def rate(audio, sample_rate): return audio * np.float32(sample_rate / 16000)
def backward(audio, sample_rate): return audio[::-1]
def square(audio: Tensor, sample_rate): return audio.square()
def cuts(audio: "torch.Tensor", sample_rate): return audio.detach().square()
def shorter(audio, sample_rate): return audio[:-1]
def shorter_tensor(audio: Tensor, sample_rate): return audio[:-1]
def columns(audio, sample_rate): return audio[:, None]
def nan(audio, sample_rate): return audio * np.nan
def infinite(audio: Tensor, sample_rate): return audio / 0
def whole(audio, sample_rate): return (32768 * audio).astype(np.int16)
def listed(audio, sample_rate): return audio.tolist()
def nothing(audio, sample_rate): pass
def silent(audio, sample_rate): return 0 * audio
def raises(audio, sample_rate): raise RuntimeError("no licence\\nsecond line")
def exits(audio, sample_rate): sys.exit(0)
def interrupted(audio, sample_rate): raise KeyboardInterrupt
def alone(audio): return audio
def three(audio, sample_rate, level): return audio
number = 3
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "links_of_ours.py").write_text(MODULE)
    (tmp_path / "lacking.py").write_text("import no_such_package.of_mine")
    (tmp_path / "unfinished_link.py").write_text("def half(:")
    (tmp_path / "leaves.py").write_text("import sys\nsys.exit(0)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))


SOUND = torch.tensor([0.5, -0.25, 0.125, 0.0])


def draws() -> Draws:
    return Draws.of((0,), 1, 1)


def heard(name: str) -> Tensor:
    return link(f"links_of_ours:{name}", RATE).heard(SOUND.clone(), draws())


def seen(name: str, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Through the twin, with one sample of padding: the sound and the gradient of its sum."""
    audio = torch.cat([SOUND, torch.ones(1)]).to(dtype)[None, None].requires_grad_()
    out = link(f"links_of_ours:{name}", RATE).twin(audio, torch.tensor([4]), draws())
    (gradient,) = torch.autograd.grad(out.sum(), audio)
    assert out.dtype == gradient.dtype == dtype
    return out[0, 0].detach(), gradient[0, 0]


@pytest.mark.parametrize("name", ["half", "wider", "writes", "rate"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_of_numpy_the_sound_is_its_own_and_the_gradient_the_identitys(
    name: str, dtype: torch.dtype
) -> None:
    assert heard(name).tolist() == [0.25, -0.125, 0.0625, 0.0]
    out, gradient = seen(name, dtype)
    assert out.tolist() == [0.25, -0.125, 0.0625, 0.0, 0.0]
    assert gradient.tolist() == [1, 1, 1, 1, 0]


def test_a_view_that_runs_backward_is_taken() -> None:
    assert heard("backward").tolist() == SOUND.flip(0).tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_of_tensors_the_gradient_is_the_functions(dtype: torch.dtype) -> None:
    assert heard("square").tolist() == SOUND.square().tolist()
    out, gradient = seen("square", dtype)
    assert out.tolist() == [*SOUND.square().tolist(), 0]
    assert gradient.tolist() == [*(2 * SOUND).tolist(), 0]


def test_tensors_that_lose_their_gradient_get_the_identitys() -> None:
    out, gradient = seen("cuts")
    assert out.tolist() == [*SOUND.square().tolist(), 0]
    assert gradient.tolist() == [1, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("shorter", r"returned samples \[3\] for \[4\]"),
        ("shorter_tensor", r"returned samples \[3\] for \[4\]"),
        ("columns", r"returned samples \[4, 1\] for \[4\]"),
        ("nan", "returned samples that are NaN or infinite"),
        ("infinite", "returned samples that are NaN or infinite"),
        ("whole", r"returned int16, expected floats in \[-1, 1\]"),
        ("listed", "returned list, expected floats"),
        ("nothing", "returned NoneType, expected floats"),
        ("silent", "returned silence"),
        ("raises", r"links_of_ours\.py:\d+: RuntimeError: no licence;"),
        ("exits", r"links_of_ours\.py:\d+: SystemExit: 0;"),
    ],
)
def test_a_fault_is_one_line_that_names_the_function_and_says_what_to_do(
    name: str, said: str
) -> None:
    for run in (heard, seen):
        if run is seen and name == "infinite":
            continue  # the guard of a search looks at its loss
        with pytest.raises(RecogniserError, match=said) as caught:
            run(name)
        text = str(caught.value)
        assert text.startswith(f"links_of_ours:{name}: ")
        assert text.endswith(f"--through links_of_ours:{name}")
        assert "\n" not in text


def test_ctrl_c_passes() -> None:
    with pytest.raises(KeyboardInterrupt):
        heard("interrupted")


@pytest.mark.parametrize(
    ("spec", "kind", "said"),
    [
        ("links_of_ours:alone", VictimError, r"def alone\(audio, sample_rate\)"),
        ("links_of_ours:three", VictimError, r"'level'; define it as def three\(audio, sample"),
        ("links_of_ours:number", VictimError, "has no function 'number'"),
        ("links_of_ours:absent", VictimError, "has no function 'absent'"),
        ("no_such_module:half", VictimError, "name a module in this folder or on PYTHONPATH"),
        ("lacking:half", VictimError, "No module named 'no_such_package'; install what it"),
        ("unfinished_link:half", VictimError, r"unfinished_link\.py:1: SyntaxError"),
        ("leaves:half", VictimError, r"leaves\.py:2: SystemExit: 0"),
        ("third", OptionError, r"There is no link 'third'\. Expected one .*module:function"),
        ("links_of_ours:half:3", OptionError, "There is no link 'links_of_ours:half:3'"),
    ],
)
def test_what_is_no_link_is_said_at_once(spec: str, kind: type[MondegreenError], said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        link(spec, RATE)
    assert "\n" not in str(caught.value)


def test_a_links_own_name_comes_before_a_module_of_that_name() -> None:
    assert link("pcm:8", RATE).name == "pcm"
    assert not is_own("pcm:8")
    assert is_own("links_of_ours:half")

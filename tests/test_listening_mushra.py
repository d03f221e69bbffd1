"""The export for webMUSHRA: a valid configuration, and stimuli at the paths that it gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml
from hypothesis import given
from hypothesis import strategies as st
from listening_runs import a_clip, a_delta, listened
from typer.testing import CliRunner

from mondegreen.cli import app
from mondegreen.errors import MondegreenError
from mondegreen.listening.mushra import Exported, export, plain


def exported(out: Path, *runs: Path, clips: int = 100) -> Exported:
    return export(runs, out, clips, 0, lambda what, done, total: None)


def mushra_pages(out: Path) -> list[dict[str, Any]]:
    (file,) = (out / "configs").glob("*.yaml")
    configuration = yaml.safe_load(file.read_text(encoding="utf-8"))
    order, *pages = configuration["pages"][2]
    assert order == "random"
    return list(pages)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    runs = [listened(tmp_path / "ours", 3), listened(tmp_path / "cw", 3, "carlini-wagner")]
    exported(tmp_path / "out", *runs)
    return tmp_path / "out"


def test_the_configuration_is_valid_for_webmushra(out: Path) -> None:
    (file,) = (out / "configs").glob("*.yaml")
    configuration = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert configuration.keys() == {
        *("testname", "testId", "bufferSize", "stopOnErrors", "showButtonPreviousPage"),
        *("remoteService", "pages"),
    }
    assert configuration["testId"] == file.stem
    assert configuration["bufferSize"] in (256, 512, 1024, 2048, 4096, 8192, 16384)
    welcome, volume, trials, finish = configuration["pages"]
    assert [page["type"] for page in (welcome, volume, finish)] == ["generic", "volume", "finish"]
    assert finish["writeResults"] is True
    assert (out / volume["stimulus"]).is_file()
    assert len(trials) == 1 + 3


def test_a_page_has_reference_conditions_and_anchors(out: Path) -> None:
    for page in mushra_pages(out):
        assert (page["type"], page["createAnchor35"], page["createAnchor70"]) == (
            *("mushra", True, True),
        )
        assert (page["randomize"], page["showConditionNames"]) == (True, False)
        assert list(page["stimuli"]) == ["1 imperceptible fast", "2 carlini-wagner fast"]
        number = int(page["id"].rpartition("-")[2])
        clean = a_clip(number)
        assert np.array_equal(samples(out / page["reference"]), clean)
        for path, peak in zip(page["stimuli"].values(), (300, 900), strict=True):
            assert np.array_equal(samples(out / path), clean + a_delta(number, peak=peak))
    assert len({page["id"] for page in mushra_pages(out)}) == 3


def samples(path: Path) -> np.ndarray[Any, Any]:
    assert soundfile.info(path).subtype == "PCM_16"
    return np.asarray(soundfile.read(path, dtype="int16")[0])


def test_every_path_is_relative_to_webmushras_folder(out: Path) -> None:
    paths = {
        path
        for page in mushra_pages(out)
        for path in (page["reference"], *page["stimuli"].values())
    }
    there = {str(path.relative_to(out)) for path in out.rglob("*.wav")}
    assert paths == there
    assert all(path.startswith("configs/resources/mondegreen-") for path in paths)


def test_saved_files_are_copied_with_their_mark(tmp_path: Path) -> None:
    run = listened(tmp_path / "run", 1)
    exported(tmp_path / "out", run)
    (page,) = mushra_pages(tmp_path / "out")
    (stimulus,) = page["stimuli"].values()
    saved = run / "items" / "key0" / "adversarial.wav"
    assert (tmp_path / "out" / stimulus).read_bytes() == saved.read_bytes()


@pytest.mark.parametrize(("length", "strict"), [(2400, True), (16_000 * 12 + 1, False)])
def test_long_clips_are_allowed_and_counted(tmp_path: Path, length: int, strict: bool) -> None:
    found = exported(tmp_path / "out", listened(tmp_path / "run", 1, length=length))
    (page,) = mushra_pages(tmp_path / "out")
    assert (page["strict"], found.long) == (strict, 0 if strict else 1)


@given(st.text())
def test_names_contain_no_markup(text: str) -> None:
    assert not set(plain(text)) & set("<>&\"'\n\\:")
    assert len(plain(text)) == len(text)


def test_hostile_ids_stay_text(tmp_path: Path) -> None:
    run = listened(tmp_path / "run: <b>\"'", 1, text="x")
    other = listened(tmp_path / "run: <i>", 1)
    exported(tmp_path / "out", run, other)
    (page,) = mushra_pages(tmp_path / "out")
    assert list(page["stimuli"]) == [
        *("1 imperceptible fast (run_ _b___)", "2 imperceptible fast (run_ _i_)")
    ]


def test_a_folder_in_use_is_left_alone(out: Path, tmp_path: Path) -> None:
    before = sorted(out.rglob("*"))
    with pytest.raises(MondegreenError, match="is in use"):
        exported(out, tmp_path / "ours")
    assert sorted(out.rglob("*")) == before


def test_the_command(tmp_path: Path) -> None:
    arguments = ["listen", "make", str(listened(tmp_path / "run", 3)), "--clips", "2"]
    arguments += ["--out", str(tmp_path / "out"), "--protocol", "mushra-export"]
    ran = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "left out           1 not drawn\n" in ran.stdout
    assert len(mushra_pages(tmp_path / "out")) == 2

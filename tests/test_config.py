"""The configuration of a run: flags, a file, and what is said of what is wrong in it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mondegreen.errors import OptionError
from mondegreen.runs.config import HOW, RunConfig, read_config

ROOT = Path(__file__).resolve().parents[1]


def write(folder: Path, text: str) -> Path:
    (folder / "run.toml").write_text(text, encoding="utf-8")
    return folder / "run.toml"


def test_flags_go_before_the_file_and_the_file_before_the_defaults(tmp_path: Path) -> None:
    path = write(tmp_path, 'clips = "a.jsonl"\nseed = 4\nlimit = 9\n')
    found = read_config(path, {"limit": 3, "target": None})
    assert (Path(found.clips).name, found.seed, found.limit) == ("a.jsonl", 4, 3)
    assert (found.target, found.method, found.engine) == (None, "imperceptible", "local")


def test_a_flag_for_the_target_goes_before_the_files_choice_of_targets(tmp_path: Path) -> None:
    path = write(tmp_path, 'clips = "a.jsonl"\ntargets = "paper"\n')
    found = read_config(path, {"target": "open the door", "targets": None})
    assert (found.target, found.targets) == ("open the door", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('clips = "a"\nmax_pases = 3', "did you mean max_passes?"),
        ('clips = "a"\nzebra = 3', "there are: method, preset"),
        ('clips = "a"\nseed = "3"', "seed = '3'"),
        ('clips = "a"\nlimit = 0', "limit = 0"),
        ('clips = "a"\nlimit = 1.5', "limit = 1.5"),
        ('clips = "a"\nmethod = "magic"', "method = 'magic'"),
        ('clips = "a"\nengine = "slurm"', "engine = 'slurm'"),
        ('clips = "a"\nmax_clean_wer = nan', "max_clean_wer"),
        ("seed = 1", "No clips were given"),
        ("clips = ", "cannot be read as a configuration"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(OptionError) as refused:
        read_config(write(tmp_path, text), {})
    assert said in str(refused.value)


def test_what_is_no_utf_8_is_refused() -> None:
    with pytest.raises(OptionError, match="UTF-8"):
        read_config(None, {"clips": "c", "target": "open \udcff door"})


@pytest.mark.parametrize("name", ["clips", "rooms", "targets", "target"])
def test_what_no_file_name_can_hold_is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, f'{name} = "a\\u0000"')
    with pytest.raises(OptionError, match=name):
        read_config(path, {} if name == "clips" else {"clips": "c"})


def test_a_name_that_no_file_can_have_is_just_a_name() -> None:
    found = read_config(None, {"clips": "c", "targets": "x" * 300})
    assert found.targets == str(Path.cwd() / ("x" * 300))


def test_a_file_that_is_gone_since_is_the_same_file(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    flags = {"clips": "clips.tsv", "targets": "targets.txt", "rooms": "bank.rooms"}
    for name in flags.values():
        (tmp_path / name).touch()
    before = read_config(None, flags)
    for name in flags.values():
        (tmp_path / name).unlink()
    assert read_config(None, flags) == before


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="none"):
        read_config(tmp_path / "none.toml", {})


def test_paths_are_the_same_from_any_folder(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "clips").mkdir()
    monkeypatch.chdir(tmp_path)
    here = read_config(None, {"clips": "clips"})
    monkeypatch.chdir(tmp_path / "clips")
    assert read_config(None, {"clips": "../clips"}) == here
    assert here.clips == str((tmp_path / "clips").resolve())
    assert read_config(None, {"clips": "hf:name:config:test"}).clips == "hf:name:config:test"
    assert read_config(None, {"clips": "gone"}).clips == str(
        (tmp_path / "clips" / "gone").resolve()
    )


def test_a_name_stays_a_name_whatever_lies_about(tmp_path: Path, monkeypatch) -> None:
    for name in ("paper", "fast"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    found = read_config(None, {"clips": "c", "targets": "paper", "rooms": "fast"})
    assert (found.targets, found.rooms) == ("paper", "fast")


@given(
    st.text(
        alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1
    )
)
def test_what_is_printed_is_read_as_the_same(target: str) -> None:
    written = RunConfig(clips="c.jsonl", target=target, limit=3)
    assert RunConfig(**tomllib.loads(written.to_toml())) == written


def test_how_it_is_run_is_no_part_of_what_is_run() -> None:
    assert RunConfig.model_fields.keys() >= HOW
    assert not HOW & RunConfig(clips="c").what().keys()


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.toml")), ids=str)
def test_the_papers_experiments_are_configurations(path: Path) -> None:
    found = read_config(path, {"clips": "clips.jsonl"})
    assert found.preset == "paper"
    assert found.targets == "paper"
    assert found.limit in (100, 1000)


def test_a_checkpoint_goes_by_its_full_name_and_others_by_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("letters", "owner/model", "moonshine-tiny"):
        (tmp_path / name).mkdir(parents=True)
    expected = {
        "letters": str(tmp_path / "letters"),
        "./letters": str(tmp_path / "letters"),
        "telephone > ./letters": f"telephone > {tmp_path / 'letters'}",
        "owner/other": "owner/other",  # of the hub
        "moonshine-tiny": "moonshine-tiny",  # the one that comes along
        "my.module:function": "my.module:function",
    }
    for given_as, name in expected.items():
        assert read_config(None, {"clips": "c", "victim": given_as}).victim == name

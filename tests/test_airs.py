"""Airs by name and from files: what is read, and what is refused in which words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mondegreen.airs import AIRS, REAL, Air, Background, Device, air_name, named_air
from mondegreen.errors import OptionError

DEVICE = "low_hz = [100.0, 200.0]\nlow_slope = [6, 12]\nhigh_slope = [6, 12]\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "air.toml"


def test_names_and_what_has_none() -> None:
    assert named_air(None) == named_air("paper") == Air()
    assert named_air("real") is named_air(REAL) is REAL
    assert [air_name(air) for air in AIRS.values()] == ["paper air", "real air"]
    assert air_name(None) == "paper air"
    assert air_name(Air(rooms="paper")) == "paper air"  # other rooms, and nothing but a room
    assert air_name(Air(rooms="real")) == "a custom air"


def test_what_a_file_says_is_the_air_and_what_it_leaves_out_does_not_happen(file: Path) -> None:
    file.write_text(
        f'rooms = "real"\ngain_db = [-6, 0]\n[microphone]\n{DEVICE}high_hz = [4000, 7000]\n'
    )
    device = Device(low_hz=(100, 200), low_slope=(6, 12), high_hz=(4000, 7000), high_slope=(6, 12))
    expected = Air(name="air.toml", rooms="real", gain_db=(-6, 0), microphone=device)
    assert named_air(file) == expected
    assert named_air(str(file)).microphone == device
    assert air_name(expected) == "the air of air.toml"
    file.write_text("")
    assert named_air(file) == Air(name="air.toml")
    assert air_name(named_air(file)) == "paper air"
    file.write_text('name = "the car"\ngain_db = [-6, 0]\n')
    assert named_air(file).name == "the car"


def test_the_folder_of_the_noise_is_beside_the_file(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('[noise]\nfolder = "hums"\nsnr_db = [20, 20]\n')
    here = tmp_path / "elsewhere"
    here.mkdir()
    monkeypatch.chdir(here)
    expected = Background(snr_db=(20, 20), folder=str(tmp_path / "hums"))
    assert named_air("../air.toml").noise is not None
    assert Path(named_air("../air.toml").noise.folder).resolve() == tmp_path / "hums"  # type: ignore[union-attr, arg-type]
    assert named_air(file).noise == expected
    file.write_text(f'[noise]\nfolder = "{here}"\nsnr_db = [20, 20]\n')
    assert named_air(file).noise == Background(snr_db=(20, 20), folder=str(here))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gian_db = [0, 1]", "no option 'gian_db'; did you mean gain_db?"),
        ("[loudspeker]\n", "did you mean loudspeaker?"),
        ("[noise]\nsnr = [1, 2]", "no option 'snr'; did you mean snr_db?"),
        ("[noise]\nsnr = [1, 2]", "[noise] No snr_db were given"),
        ("[noise]\n", "No snr_db were given"),
        ("gain_db = [3.0, 1.0]", "gain_db: Got a range from 3 to 1; put the smaller one first"),
        ("gain_db = [1, 2, 3]", "expected the least and the greatest"),
        ("gain_db = 'loud'", "Got gain_db = 'loud'"),
        ("gain_db = ['a', 'b']", "Got gain_db.0 = 'a'"),
        ("gain_db = [0, inf]", "finite"),
        ("gain_db = [0, 1000]", "Got gain_db.1 = 1000"),
        ("offset_ms = [-1, 2]", "Got offset_ms.0 = -1"),
        ("clock_ppm = [0, nan]", "finite"),
        ("clock_ppm = [-1e9, 0]", "Got clock_ppm.0"),
        ("noise = 3", "noise"),
        ("[noise]\nsnr_db = [-1e4, 0]", "snr_db.0"),
        ("[noise]\nsnr_db = [1, 2]\nfolder = 3", "folder"),
        ("[noise]\nsnr_db = [1, 2]\ncontents = 'x'", "without their folder"),
        (f"[microphone]\n{DEVICE}", "[microphone] No high_hz were given"),
        (f"[microphone]\n{DEVICE}high_hz = [150, 900]", "must stay below the upper one"),
        (f"[microphone]\n{DEVICE}high_hz = [0, 900]", "high_hz.0"),
        (f"[microphone]\n{DEVICE}high_hz = [800, 900]\ndrive = [1, 1]", "no option 'drive'"),
        (
            f"[loudspeaker]\n{DEVICE}high_hz = [800, 900]\ndrive = [0, 1]",
            "[loudspeaker] Got drive.0",
        ),
        (f"[loudspeaker]\n{DEVICE}high_hz = [900, 800]", "[loudspeaker] high_hz: Got a range from"),
        ("rooms = 'large'", "'fast', 'paper' or 'real'"),
        ("gain_db = [", "cannot be read as an air"),
        ("\x00", "cannot be read as an air"),
    ],
)
def test_what_is_no_air_is_refused_by_name(file: Path, text: str, told: str) -> None:
    file.write_text(text)
    with pytest.raises(OptionError) as refused:
        named_air(file)
    assert str(file) in str(refused.value)
    assert told in str(refused.value)


@pytest.mark.parametrize("name", ["reel", "missing/air.toml"])
def test_a_name_that_is_none_is_told_what_there_is(name: str) -> None:
    with pytest.raises(
        OptionError, match=r"neither an air nor a file. Expected paper, real, or a TOML"
    ):
        named_air(name)


def test_a_folder_is_no_air(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="neither an air nor a file"):
        named_air(tmp_path)


def test_the_example_of_the_documentation_is_real_air(file: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "rooms.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.S)
    file.write_text(example)
    assert named_air(file) == REAL.model_copy(update={"name": "air.toml"})
    assert air_name(named_air(file)) == "real air"

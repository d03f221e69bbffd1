"""The page of a run in a real browser: it plays, sorts, filters, and asks nothing of anybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import browser
import pytest
from browser import Watched
from playwright.sync_api import Browser, Locator, Page, expect
from report_runs import HOSTILE, LONG, every_kind, sound_item, sound_run
from test_tables import many

from mondegreen.report.page.write import write_report

PLAYING = "audios => audios.filter(audio => !audio.paused).length"
TIMES = "audios => audios.map(audio => audio.currentTime)"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pages: of every kind of clip, of long sounds, side by side, and of many media."""
    folder = tmp_path_factory.mktemp("pages")
    kinds = every_kind(folder / "kinds")
    write_report([[kinds]], folder / "kinds.html")
    for name in ("one", "two"):
        sound_item(folder / name / "a", seconds=8.0, id="x")
    write_report([[folder / "one"]], folder / "sound.html")
    write_report([[folder / "one"], [folder / "two"]], folder / "compared.html")
    write_report([[folder / "one"]], folder / "beside.html", inside=0)
    many = sound_run(folder / "many", {"a": {}}, pending=[f"p{n}" for n in range(40)])
    write_report([[many]], folder / "many.html")
    return folder


@pytest.fixture
def page(tab: Watched, pages: Path) -> Iterator[Page]:
    """The page of every kind of clip; at its end, it has been silent and kept to itself."""
    yield tab.open(pages / "kinds.html")
    assert tab.console == []
    assert tab.from_elsewhere == []


@pytest.fixture
def sound(tab: Watched, pages: Path) -> Iterator[Page]:
    """The page of one clip of eight seconds; likewise."""
    page = tab.open(pages / "sound.html")
    card(page)
    yield page
    assert tab.console == []
    assert tab.from_elsewhere == []


def shown(page: Page) -> list[str]:
    """The clips that the table shows, in its order."""
    found: list[str] = page.locator("table.clips tbody tr:not([hidden]) a").all_inner_texts()
    return found


def card(page: Page, number: int = 1) -> Locator:
    """A card that has come into view, and been filled in."""
    found = page.locator(f"#clip-{number}")
    found.scroll_into_view_if_needed()
    found.locator(".filled").wait_for()
    return found


# ---- playing


def until_it_plays(page: Page, at_least: float = 0.2) -> None:
    page.wait_for_selector(".clock")
    for _ in range(200):
        if max(page.locator("audio").evaluate_all(TIMES)) > at_least:
            return
        page.wait_for_timeout(20)
    raise AssertionError("it does not play")


def test_it_plays_and_stops(sound: Page) -> None:
    assert sound.locator("audio").evaluate_all(PLAYING) == 0
    sound.get_by_role("button", name="Play").click()
    until_it_plays(sound)
    sound.get_by_role("button", name="Pause").click()
    assert sound.locator("audio").evaluate_all(PLAYING) == 0
    stopped = sound.get_by_label("Position").input_value()
    assert float(stopped) >= 0.2
    sound.wait_for_timeout(200)
    assert sound.get_by_label("Position").input_value() == stopped


def test_another_sound_goes_on_where_the_first_was(sound: Page) -> None:
    sound.get_by_role("button", name="Play").click()
    until_it_plays(sound)
    switch = """radios => {
      const audios = [...document.querySelectorAll("audio")];
      const before = audios[0].currentTime;
      radios[1].click();
      return [before, audios[1].currentTime, audios.map(audio => audio.paused)];
    }"""
    before, after, paused = sound.get_by_role("radio").evaluate_all(switch)
    assert before >= 0.2
    assert after == pytest.approx(before, abs=0.003)
    assert paused == [True, False, True]
    until_it_plays(sound, before + 0.2)
    assert sound.locator("audio").evaluate_all(PLAYING) == 1


def test_keys_choose_and_play_while_the_player_has_the_focus(sound: Page) -> None:
    radios = sound.get_by_role("radio")
    radios.first.focus()
    sound.keyboard.press("2")
    expect(radios.nth(1)).to_be_checked()
    sound.keyboard.press("Space")
    until_it_plays(sound)
    sound.keyboard.press("3")
    expect(radios.nth(2)).to_be_checked()
    assert sound.locator("audio").evaluate_all("audios => audios.map(a => a.paused)") == [
        *(True, True, False),
    ]
    sound.keyboard.press("Space")
    assert sound.locator("audio").evaluate_all(PLAYING) == 0
    sound.locator("summary").first.focus()
    sound.keyboard.press("1")  # elsewhere it is just a character
    expect(radios.nth(2)).to_be_checked()


def test_a_position_that_is_chosen_is_kept_before_anything_plays(sound: Page) -> None:
    sound.get_by_label("Position").fill("5")
    expect(sound.locator(".clock")).to_have_text("5.0 / 8.0 s")
    sound.get_by_role("radio").nth(2).check(force=True)
    sound.get_by_role("button", name="Play").click()
    until_it_plays(sound, 5.05)
    assert sound.locator("audio").evaluate_all(TIMES)[2] > 5


def test_the_playhead_follows_and_a_picture_can_be_clicked(sound: Page) -> None:
    image = sound.locator(".drawings .image").first
    box = image.bounding_box()
    assert box is not None
    image.click(position={"x": box["width"] / 4, "y": 10})
    assert float(sound.get_by_label("Position").input_value()) == pytest.approx(2.0, abs=0.05)
    heads = sound.locator(".image .head").evaluate_all(
        "heads => heads.map(h => (h.getBoundingClientRect().left"
        " - h.parentElement.getBoundingClientRect().left) / h.parentElement.clientWidth)"
    )
    assert heads == pytest.approx([0.25] * 7, abs=0.01)  # of three waveforms, four spectrograms


def test_a_waveform_can_be_clicked_to_hear_that_sound_from_there(sound: Page) -> None:
    wave = sound.locator(".lane .image").nth(1)
    box = wave.bounding_box()
    assert box is not None
    wave.click(position={"x": box["width"] / 2, "y": 10})
    expect(sound.get_by_role("radio").nth(1)).to_be_checked()
    assert float(sound.get_by_label("Position").input_value()) == pytest.approx(4.0, abs=0.05)


def test_only_one_card_sounds(page: Page) -> None:
    cards = [card(page, number) for number in (2, 3)]
    for one in cards:
        one.get_by_role("button", name="Play").click()
    expect(cards[0].get_by_role("button", name="Play")).to_be_visible()
    assert page.locator("audio").evaluate_all(PLAYING) <= 1


def test_at_its_end_it_is_back_at_its_beginning(page: Page) -> None:
    short = card(page, 2)
    short.get_by_label("Position").fill("0.9")
    short.get_by_role("button", name="Play").click()
    expect(short.get_by_role("button", name="Play")).to_be_visible()
    expect(short.locator(".clock")).to_have_text("0.0 / 1.0 s")


def test_media_beside_the_page_play_and_are_drawn(tab: Watched, pages: Path) -> None:
    page = tab.open(pages / "beside.html")
    card(page)
    page.get_by_role("button", name="Play").click()
    until_it_plays(page)
    pictures = page.locator(".drawings .image img")
    widths = pictures.evaluate_all("all => all.map(i => i.naturalWidth)")
    assert widths == [250] * 4  # 8 s in columns of 32 ms
    assert tab.console == []
    assert all(address.startswith("file:") for address in tab.requests if "data:" not in address)


def test_a_page_without_its_folder_says_what_is_missing(tab: Watched, pages: Path) -> None:
    (pages / "alone").mkdir()
    alone = pages / "alone" / "beside.html"
    alone.write_bytes((pages / "beside.html").read_bytes())
    page = tab.open(alone)
    card(page)
    page.get_by_role("button", name="Play").click()
    expect(page.locator(".trouble")).to_contain_text("must be beside the page")


def test_side_by_side_each_run_can_be_switched_to(tab: Watched, pages: Path) -> None:
    page = tab.open(pages / "compared.html")
    card(page)
    labels = [" ".join(text.split()) for text in page.locator("fieldset label").all_inner_texts()]
    assert [label.split(" +")[0] for label in labels] == [
        *("1 Original", "2 Adversarial one", "3 Adversarial two"),
        *("4 Perturbation alone one,", "5 Perturbation alone two,"),
    ]
    page.get_by_role("radio").nth(2).focus()
    page.keyboard.press("3")
    page.keyboard.press("Space")
    until_it_plays(page)
    assert page.locator("audio").evaluate_all("all => all.findIndex(a => !a.paused)") == 2
    assert tab.console == []
    assert tab.accessibility() == []


# ---- the table


def test_filters_show_failures_as_well_as_successes(page: Page) -> None:
    everything = shown(page)
    assert len(everything) == 12
    page.get_by_role("button", name="Not verified").click()
    assert shown(page) == ["id-failed", "id-stopped", "id-long"]
    expect(page.get_by_role("status").first).to_have_text("3 of 12 shown")
    expect(page.locator(".card:visible")).to_have_count(3)
    page.get_by_role("button", name="Damaged").click()
    assert shown(page) == ["id-changed", "id-later2"]
    expect(page.get_by_role("button", name="Damaged")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Not ver")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="All").click()
    assert shown(page) == everything


def test_text_is_found_word_by_word_in_whatever_case(page: Page) -> None:
    page.get_by_label("Find").fill("WINDOW open")
    assert shown(page) == ["id-failed"]
    page.get_by_label("Find").fill("nowhere to be found")
    assert shown(page) == []
    expect(page.get_by_role("status").first).to_have_text("0 of 12 shown")
    page.get_by_label("Find").fill("")
    assert len(shown(page)) == 12


def test_columns_sort_both_ways_with_what_is_unknown_last(page: Page) -> None:
    heading = page.locator("th", has=page.get_by_role("button", name="SNR, dB"))
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    column = heading.evaluate("th => th.cellIndex")
    values = page.locator("table.clips tbody tr").evaluate_all(
        "(rows, column) => rows.map(row => row.cells[column].textContent)", column
    )
    known = [float(value) for value in values if value != "-"]
    assert known == sorted(known)
    assert values[-4:] == ["-"] * 4
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    assert shown(page)[:2] == ["id-good", "id-failed"]
    assert set(shown(page)[-4:]) == {"id-broken", "id-deaf", "id-later", "id-later2"}
    expect(page.locator(".card").first.locator("h3")).to_have_text("id-good")


def test_names_sort_by_their_numbers(tab: Watched, tmp_path: Path) -> None:
    run = sound_run(tmp_path / "run", {k: {"id": k} for k in ("c10", "c9", "C2")})
    write_report([[run]], tmp_path / "page.html")
    page = tab.open(tmp_path / "page.html")
    page.get_by_role("button", name="Clip", exact=True).click()
    assert shown(page) == ["C2", "c9", "c10"]


def test_a_name_opens_its_card(tab: Watched, pages: Path) -> None:
    page = tab.open(pages / "many.html")
    named = page.locator("#clip-1")
    expect(named.locator(".player")).to_have_count(0)
    page.locator("table.clips a").first.click()
    expect(named.get_by_role("button", name="Play")).to_be_in_viewport()
    expect(named.locator("summary").first).to_be_focused()
    named.locator("summary").first.click()
    page.locator("table.clips a").first.click()  # again, with the address as it is
    expect(named.get_by_role("button", name="Play")).to_be_in_viewport()


def test_an_address_with_a_card_opens_it(tab: Watched, pages: Path) -> None:
    page = tab.open(pages / "many.html", "#clip-30")
    expect(page.locator("#clip-30 .problem")).to_be_in_viewport()


def test_cards_are_filled_in_when_they_are_opened(tab: Watched, pages: Path) -> None:
    page = tab.open(pages / "many.html")
    assert page.locator(".card").count() == 41
    assert page.locator(".filled").count() == 0
    page.locator("#clip-1 summary").first.click()
    expect(page.locator("#clip-1 audio")).to_have_count(3)
    assert page.locator(".filled").count() == 1


@pytest.mark.slow
def test_a_thousand_clips_are_no_burden_until_they_are_opened(tab: Watched, tmp_path: Path) -> None:
    write_report([[many(tmp_path / "run", 1000)]], tmp_path / "page.html")
    page = tab.open(tmp_path / "page.html")
    assert page.evaluate("() => document.querySelectorAll('*').length") < 40_000
    page.get_by_label("Find").fill("clip")
    assert len(shown(page)) == 1000


# ---- for everybody


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("sound.html", ("button", "radio", "range", "summary")),
        ("many.html", ("search", "button", "scroll", "a", "summary")),
    ],
)
def test_everything_can_be_reached_by_keyboard(
    tab: Watched, pages: Path, name: str, kinds: tuple[str, ...]
) -> None:
    page = tab.open(pages / name)
    reached = []
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "() => { const e = document.activeElement;"
                " return e.type || e.className || e.tagName.toLowerCase(); }"
            )
        )
    for kind in kinds:
        assert kind in reached, (kind, reached)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["kinds.html", "sound.html"])
def test_axe_finds_nothing(chromium: Browser, pages: Path, scheme: str, name: str) -> None:
    with browser.watched(chromium, color_scheme=scheme) as seen:
        page = seen.open(pages / name)
        page.locator("details").evaluate_all("all => all.forEach(d => { d.open = true; })")
        for number in range(1, 1 + page.locator(".card").count()):
            card(page, number)
        page.locator("details").evaluate_all("all => all.forEach(d => { d.open = true; })")
        assert seen.accessibility() == []


@pytest.mark.parametrize("name", ["kinds.html", "sound.html", "compared.html"])
def test_a_phone_has_nothing_to_scroll_sideways(chromium: Browser, pages: Path, name: str) -> None:
    with browser.watched(chromium, viewport={"width": 390, "height": 800}) as seen:
        page = seen.open(pages / name)
        page.locator("details").evaluate_all("all => all.forEach(d => { d.open = true; })")
        for number in range(1, 1 + page.locator(".card").count()):
            card(page, number)
        page.locator("details").evaluate_all("all => all.forEach(d => { d.open = true; })")
        assert page.evaluate("() => document.documentElement.scrollWidth") == 390


def test_a_laptop_shows_the_whole_table(chromium: Browser, pages: Path, tmp_path: Path) -> None:
    long = {"id": "LibriSpeech-test-clean-2961-960-0020", "heard": LONG, "target": LONG}
    worst = {"wer_target": 6.25, "snr_db": -23.45, "masking_loss": 2_838_964.0, "max_abs": 32_768.0}
    worst = {**long, **worst, "passes": 142_000}
    run = sound_run(tmp_path / "a-run-of-clips", {"a": worst, "b": worst})
    write_report([[run]], tmp_path / "long.html")
    write_report([[run], [pages / "kinds"]], tmp_path / "several.html")
    with browser.watched(chromium, viewport={"width": 1280, "height": 800}) as seen:
        for path in (pages / "kinds.html", tmp_path / "long.html", tmp_path / "several.html"):
            table = seen.open(path).locator("[aria-label='Table of clips']")
            wide, room = table.evaluate("e => [e.scrollWidth, e.clientWidth]")
            assert wide <= room, path.name


def test_a_rate_above_all_of_the_words_has_a_footnote(tab: Watched, tmp_path: Path) -> None:
    run = sound_run(tmp_path / "run", {"a": {"wer_target": 6.25, "verified": False}, "b": {}})
    write_report([[run]], tmp_path / "page.html")
    page = tab.open(tmp_path / "page.html")
    cells = page.locator("table.clips tbody tr td.number:nth-of-type(4)")
    assert cells.all_inner_texts() == ["> 100%", "0.0%"]
    assert cells.first.get_attribute("data-value") == "6.25"  # by which it sorts
    expect(page.locator("#clips > p").last).to_have_text(
        "> 100%: more errors than words: the transcript is longer than the phrase, as one that"
        " loops is."
    )


def test_without_script_there_are_head_charts_and_table(chromium: Browser, pages: Path) -> None:
    with browser.watched(chromium, java_script_enabled=False) as seen:
        page = seen.open(pages / "kinds.html")
        expect(page.locator(".lead").first).to_be_visible()
        expect(page.locator(".charts img").first).to_be_visible()
        expect(page.locator("table.clips tbody tr")).to_have_count(12)
        expect(page.locator(".controls")).to_be_hidden()
        expect(page.get_by_text("allow this page to run its own script")).to_be_visible()
        page = seen.open(pages / "sound.html")
        expect(page.locator("audio")).to_have_count(3)
        expect(page.locator("audio").first).to_be_visible()  # with the browser's own controls
        expect(page.get_by_role("button", name="Play")).to_be_hidden()
        expect(page.locator(".drawings img").first).to_be_visible()


def test_printed_there_are_open_cards_and_nothing_to_press(tab: Watched, pages: Path) -> None:
    page = tab.open(pages / "kinds.html")
    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator(".filled").count() == 11  # that of the pending clip is closed
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(200)
    pictures = page.locator(".drawings .image img")
    drawn = pictures.evaluate_all("all => all.map(i => i.naturalWidth > 0)")
    assert drawn == [True] * 4 * 7  # those far below too
    expect(page.locator(".player").first).to_be_hidden()
    expect(page.locator(".controls")).to_be_hidden()
    expect(page.locator("table.clips")).to_be_visible()
    expect(page.locator("#clip-2 .drawings")).to_be_visible()
    page.locator("#clip-2 > details").evaluate("details => { details.open = false; }")
    expect(page.locator("#clip-2")).to_be_hidden()


# ---- text of strangers


def test_hostile_text_stays_text(page: Page) -> None:
    hostile = card(page, 8)
    readable = " ".join(HOSTILE.replace("\u0007", "\ufffd").split())
    told = hostile.locator(".texts dd bdi").all_text_contents()
    assert [" ".join(text.split()) for text in told][-2:] == [readable, readable]
    expect(hostile.locator(".problem")).to_contain_text("<script>alert(1)</script>")
    assert page.locator("script").count() == 1
    row = page.locator("table.clips tbody tr").nth(7)
    assert readable[:40] in " ".join(row.inner_text().split())
    hostile.locator(".record summary").click()
    expect(hostile.locator("pre")).to_contain_text("\\u202e")  # which turns nothing round there


def test_marks_that_turn_text_round_do_so_in_their_box_alone(page: Page) -> None:
    note = card(page, 8).locator(".note").first.bounding_box()
    text = page.locator("#clip-8 .texts dd bdi").last.bounding_box()
    assert note is not None
    assert text is not None
    assert note["x"] >= text["x"]  # it still comes after


def test_long_texts_fold(page: Page) -> None:
    long = card(page, 9).locator("details.long").first
    assert (long.bounding_box() or {})["height"] < 200
    expect(long.locator("summary")).to_contain_text(f"{len(LONG):,} characters")
    long.locator("summary").click()
    assert len(long.locator(".said").inner_text().split()) == 2_000

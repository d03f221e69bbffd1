"""Fixed sets, scores and cards: suite list, suite show, suite run, suite make, suite compare."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from mondegreen.cli.app import (
    DEFAULT_VICTIM,
    AsJson,
    Examples,
    Through,
    VictimName,
    group_of,
    takes,
)
from mondegreen.cli.console import err, out
from mondegreen.cli.judge import examined
from mondegreen.cli.output import print_fields, print_json, print_table
from mondegreen.cli.progress import Bars
from mondegreen.cli.refusals import check_place, check_recogniser
from mondegreen.cli.run import Dashboard, print_tally
from mondegreen.errors import OptionError
from mondegreen.options import Options
from mondegreen.processors import MOST_THREADS
from mondegreen.wording import By, number_of

if TYPE_CHECKING:
    from mondegreen.results.card import Card
    from mondegreen.suites.suite import Suite

group = group_of(
    "suite", "Measure a recogniser on a fixed set of clips: its mishear score, and a card of it."
)

SHOWN: Final = 5  # clips, unless all are asked for
SuiteOf = Annotated[
    str, typer.Argument(help="The suite's name, or a file of `suite make`.", metavar="SUITE")
]
Data = Annotated[
    str | None,
    typer.Option(help="Your own copy of its recordings, where they are not installed."),
]


@group.command("list", epilog=Examples + "mondegreen suite list")
def list_suites(as_json: AsJson = False) -> None:
    """List the suites that come with mondegreen."""
    from mondegreen.search.presets import stages_for
    from mondegreen.suites.named import KNOWN

    for number, one in enumerate(KNOWN.values()):
        fields: dict[str, Any] = {
            "suite": one.name,
            "version": one.version,
            "about": one.about,
            "clips": one.clips,
            "passes_a_clip": sum(stage.passes for stage in stages_for(one.options)),
            "priced_by": one.by,
            "needs": one.data or "nothing else",
        }
        if number and not as_json:
            out.print()
        print_fields(fields, as_json)


@group.command(
    epilog=Examples + "mondegreen suite show quick\n\n"
    "mondegreen suite show librispeech-50 --data LibriSpeech/test-clean --all"
)
def show(
    suite: SuiteOf,
    data: Data = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every clip.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a suite consists of: clips, targets, options, and its key."""
    found = _loaded(suite, data)
    if as_json:
        print_json(
            {**asdict(found.identity), "by": found.by, "options": found.options.model_dump()}
        )
        for clip in found.clips:
            print_json(asdict(clip))
        return
    print_fields(
        {
            "suite": f"{found.name}, version {found.version}",
            "key": found.identity.key,
            "about": found.about,
            "priced by": found.by,
            "options": _chosen(found.options),
            "clips": len(found.clips),
        }
    )
    shown = found.clips if everything else found.clips[:SHOWN]
    rows = [[one.id, one.text or "", one.target] for one in shown]
    print_table(["clip", "what is said", "to be heard as"], rows)
    if left := len(found.clips) - len(shown):
        err.print(f"and {left} more: --all")


@group.command(
    epilog=Examples + "mondegreen suite run quick --victim ./my-checkpoint --out this-build\n\n"
    "mondegreen suite run librispeech-50 --data LibriSpeech/test-clean --out big --workers 8"
)
def run(
    suite: SuiteOf,
    folder: Annotated[
        Path,
        typer.Option("--out", help="The run folder; run the same command again to resume."),
    ],
    victim: VictimName = DEFAULT_VICTIM,
    through: Through = None,
    data: Data = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_THREADS, help="Number of workers. Default: one per GPU, or processor."
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto (every GPU, or the CPU), cpu, cuda, cuda:1.")
    ] = "auto",
    as_json: AsJson = False,
) -> None:
    """Attack every clip of a suite, check the numbers, and write the card with the score.

    The folder is that of a run: every command takes it, and it also holds card.json and card.md.
    Exit status 0: the card is written; 1: some clips remain, run the same command again.
    """
    check_place(folder)
    check_recogniser(through, victim)
    from mondegreen.chain.text import chained
    from mondegreen.report.numbers.tables import collect
    from mondegreen.suites.run import run_suite

    found = _loaded(suite, data)
    name = chained(through or (), victim)
    how = {"workers": workers, "device": device}
    with redirect_stdout(sys.stderr), Dashboard(folder.name) as board:
        tally = run_suite(found, name, folder, how, on_work=board.work, on_tally=board.show)
    collect(folder)
    if tally.done < tally.clips:
        print_tally(tally, folder, as_json)
        raise typer.Exit(1)
    card = _carded(folder, name, device, as_json)
    if card is None:
        err.print("interrupted before the checks were done; run the same command again")
        raise typer.Exit(1)
    _print_card(card, folder, as_json)


def _carded(folder: Path, name: str, device: str, as_json: bool) -> Card | None:
    """Check the numbers unless they have been, and write the card; None: interrupted."""
    from mondegreen.files import write_whole
    from mondegreen.results.card import write_card
    from mondegreen.results.folder import CARD, CARD_TEXT
    from mondegreen.results.sanity import read_findings
    from mondegreen.suites.made import card_of
    from mondegreen.suites.text import card_text

    if read_findings(folder) is None:
        _, whole = examined(folder, name, device=device, as_json=as_json)
        if not whole:
            return None
    card = card_of(folder)
    write_card(card, folder / CARD)
    write_whole(folder / CARD_TEXT, card_text(card))
    return card


def _print_card(card: Card, folder: Path, as_json: bool) -> None:
    from mondegreen.gating.gate import UNDERSTANDING
    from mondegreen.results.folder import CARD, CARD_TEXT
    from mondegreen.results.prices import YARDSTICKS
    from mondegreen.suites.text import score_text

    if as_json:
        print_json({**asdict(card.score), "card": str(folder / CARD), "doubt": card.doubt})
        return
    heard = sum(one.heard is True for one in card.clips)
    print_fields(
        {
            "recogniser": card.model.name,
            "suite": f"{card.suite.name}, version {card.suite.version} ({card.suite.key})",
            "mishear score": score_text(card),
            "that is": f"{YARDSTICKS[card.score.by].label} at which half of the clips are"
            " attackable",
            "heard as asked": f"{heard} of {number_of(len(card.clips), 'clip')}",
            "believed": "yes, no sanity check fires" if card.doubt is None else f"no: {card.doubt}",
            **({} if card.texts else {"not checked": UNDERSTANDING}),
            "card": f"{folder / CARD}, and as text {folder / CARD_TEXT}",
        }
    )


@group.command(
    epilog=Examples + "mondegreen suite make ours.suite --clips clips.jsonl --name ours\n\n"
    'mondegreen suite make doors.suite --clips recordings/ --target "open the door" --name doors'
    " --max-passes 300"
)
@takes(Options, but=frozenset({"max_clean_wer"}))
def make(
    path: Annotated[Path, typer.Argument(help="The file to write, such as ours.suite.")],
    clips: Annotated[
        str, typer.Option(help="A manifest, a folder of recordings, or hf:NAME:CONFIG:SPLIT.")
    ],
    name: Annotated[str, typer.Option(help="What it is called.")],
    version: Annotated[int, typer.Option(min=1, help="Count up when you change it.")] = 1,
    about: Annotated[str, typer.Option(help="What it is for, in a sentence.")] = "",
    target: Annotated[str | None, typer.Option(help="One phrase for all clips.")] = None,
    targets: Annotated[
        str | None, typer.Option(help="A file of phrases, or paper: other clips' texts.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="A random sample of this many clips.")
    ] = None,
    by: Annotated[
        By, typer.Option(help="What the score, a price, is measured in: see `mondegreen curve`.")
    ] = "margin",
    *,
    chosen: dict[str, Any],
) -> None:
    """Make a suite of your own clips: with targets, options and the hash of every recording.

    The recordings stay where they are; the file names them from its own folder on.
    """
    from mondegreen.cli.refusals import check_clips, check_new

    check_new(path)
    check_clips(clips)
    options = Options(**chosen)
    if options.in_rooms:
        raise OptionError(
            f"A suite in rooms is not offered: {options.method} has no prices. Expected the method"
            " imperceptible or carlini-wagner."
        )
    if options.untargeted:
        raise OptionError(
            "The clips of a suite have targets, and the method untargeted has none. Expected the"
            " method imperceptible or carlini-wagner."
        )
    from mondegreen.data.sources import read_clips
    from mondegreen.data.targets import choose_targets, limited
    from mondegreen.files import cache_folder
    from mondegreen.suites.named import suite_clips
    from mondegreen.suites.suite import Suite, check_distinct, write_suite

    found = read_clips(clips, cache_folder() / "recordings")
    given = choose_targets(found, target=target, targets=targets, seed=options.seed)
    with Bars(path.name) as bars:
        own = suite_clips(
            limited(given, limit, options.seed),
            lambda done, total: bars.count("reading recordings", done, total),
        )
    check_distinct(path, own)
    suite = Suite(name, version, about, by, options, tuple(own))
    write_suite(suite, path)
    print_fields({"suite": str(path), "clips": len(own), "key": suite.identity.key})


@group.command(
    epilog=Examples + "mondegreen suite compare last/card.json this/card.json other/card.json"
)
def compare(
    cards: Annotated[list[Path], typer.Argument(help="Files card.json.", metavar="CARD...")],
    as_json: AsJson = False,
) -> None:
    """Rank recognisers by their cards, the easiest to fool first.

    Only cards of the same suite, version and key can be compared.
    """
    from mondegreen.results.card import read_card
    from mondegreen.suites.compare import rank

    read = [read_card(path) for path in cards]
    ranked = rank(read)
    if as_json:
        for one in ranked:
            found = {"harder": one.harder, "easier": one.easier, "p": one.p}
            print_json({"recogniser": one.card.model.name, **asdict(one.card.score), **found})
        return
    _print_ranked(ranked, {id(card): path for card, path in zip(read, cards, strict=True)})


def _short(path: Path) -> str:
    """A card's file and folder, which fit into a table where a whole path does not."""
    return str(Path(*path.absolute().parts[-2:]))


def _print_ranked(ranked: Sequence[Any], paths: Mapping[int, Path]) -> None:
    from mondegreen.results.prices import YARDSTICKS
    from mondegreen.suites.text import cost_text, interval_text

    rows = []
    alike = len({one.card.model.name for one in ranked}) < len(ranked)
    for place, (card, harder, easier, p) in enumerate(ranked, 1):
        by, score = YARDSTICKS[card.score.by], card.score
        told = "" if p is None else f"{harder} harder, {easier} easier, p = {p:.3f}"
        name = card.model.name + (f" ({_short(paths[id(card)])})" if alike else "")
        rows.append([f"{place}. {name}", cost_text(score.at, by), interval_text(score), told])
    by = YARDSTICKS[ranked[0].card.score.by]
    print_table(["easiest first", by.label, "95 % interval", "than the one above"], rows)
    if doubts := [one.card for one in ranked if one.card.doubt is not None]:
        for card in doubts:
            err.say(f"{card.model.name}: do not believe its numbers: {card.doubt}")


def _loaded(name: str, data: str | None) -> Suite:
    from mondegreen.files import cache_folder
    from mondegreen.suites.named import load_suite

    with Bars(name) as bars:
        return load_suite(
            name,
            data,
            cache_folder() / "recordings",
            lambda done, total: bars.count("reading recordings", done, total),
        )


def _chosen(options: Options) -> str:
    """The options that are not the default, as flags."""
    default = Options()
    given = {k: v for k, v in options.model_dump().items() if v != getattr(default, k)}
    return ", ".join(f"{k.replace('_', '-')} {v}" for k, v in given.items()) or "as by default"

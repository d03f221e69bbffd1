"""Write the pages of the API reference, from signatures and docstrings; `make site` runs it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Final

import griffe

ROOT: Final = Path(__file__).resolve().parents[1]
WIDTH: Final = 88  # characters of a signature

# What a user of Python meets: for each page its title, what it is for, and the modules that are on
# it, each with the names that are shown of it; none: all that are public.
PAGES: Final[Mapping[str, tuple[str, str, Mapping[str, str]]]] = {
    "attacks": (
        "Attacks",
        "Make a file that is misheard, and hear it again.",
        {
            "attacks.attack": "attack attack_batch",
            "options": "Options",
            "attacks.recording": "Recording",
            "audio.passage": "Passage",
            "attacks.result": "Result Waypoint",
            "attacks.proof": "verify Proof",
            "aim": "Aim",
            "notebook": "",
        },
    ),
    "victims": (
        "Recognisers",
        "Load a recogniser, or make one of your own attackable.",
        {
            "victims.load": "load_victim load_recogniser",
            "victims.base": "",
            "victims.through": "through",
            "victims.contract": "examine Probe",
            "victims.ctc_loss": "score_ctc Alignment best_path",
            "victims.teacher_forcing": "",
            "victims.transducer_loss": "",
            "victims.printed": "",
            "victims.spelling": "",
            "chain.link": "",
        },
    ),
    "results": (
        "Results",
        "What an attack leaves: an item folder with its record.",
        {"results.record": "", "results.item": "", "results.verdict": "", "results.sounds": ""},
    ),
    "measures": (
        "Measures",
        "How loud, how wrong, in how many rooms, at what price.",
        {
            "measures.quality": "",
            "measures.ratings": "",
            "measures.pair": "",
            "measures.curve": "",
            "measures.in_rooms": "",
            "measures.survival": "",
            "measures.transfer": "",
        },
    ),
    "psychoacoustics": (
        "Psychoacoustics",
        "What masks what: the equations of the supplement, one function each.",
        {
            "psychoacoustics": "",
            "psychoacoustics.threshold": "",
            "psychoacoustics.excess": "",
            "psychoacoustics.profiles": "",
            "psychoacoustics.spectrum": "",
            "psychoacoustics.maskers": "",
            "psychoacoustics.spreading": "",
            "psychoacoustics.temporal": "",
            "psychoacoustics.surroundings": "",
        },
    ),
    "air": (
        "Air and rooms",
        "What happens between the file and the recogniser.",
        {
            "airs": "",
            "air.rooms.bank": "",
            "air.rooms.make": "",
            "air.rooms.settings": "RoomSettings FurnishedRooms SplitSizes",
            "air.rooms.responses": "",
            "air.rooms.reverb": "",
            "air.transformations": "",
            "air.devices": "",
            "air.noises": "",
            "air.through": "",
        },
    ),
    "judging": (
        "Judging",
        "Is it to be believed? Results heard again, and checks of whole evaluations.",
        {
            "judging.evaluate": "evaluate Evaluation",
            "judging.verify": "",
            "judging.sanity": "",
            "judging.checks": "",
            "judging.detectors": "",
            "judging.played": "",
        },
    ),
    "errors": ("Errors", "What can be raised; every message says what to do.", {"errors": ""}),
}


@dataclass(frozen=True)
class Shown:
    """A class or function, and the page that it is on."""

    page: str
    thing: griffe.Object

    @property
    def address(self) -> str:
        """Where it is, from another page of the reference."""
        return f"{self.page}.md#{self.thing.path}"


class Reference:
    """The whole reference."""

    def __init__(self) -> None:
        loader = griffe.GriffeLoader(search_paths=[ROOT], docstring_parser="google")
        self._package = loader.load("mondegreen")
        self.shown = [
            Shown(page, thing)
            for page, (_, _, modules) in PAGES.items()
            for module, names in modules.items()
            for thing in _chosen(self._package[module], names.split())
        ]
        self._known: dict[str, str] = {}
        for one in self.shown:  # a name that two of them have stands for neither
            name = one.thing.name
            self._known[name] = "" if name in self._known else one.address
            self._known[one.thing.path] = one.address

    def pages(self) -> Iterator[tuple[str, str]]:
        """Each page's name and its text in Markdown."""
        yield "index", "\n\n".join(self._index())
        for page in PAGES:
            yield page, "\n\n".join(self._page(page))

    def _index(self) -> Iterator[str]:
        yield "# Python"
        yield "Attacks, results and measurements from Python. `import mondegreen as mg` has:"
        lines = []
        for name in self._package.exports or []:
            alias = self._package[str(name)]
            target = alias.final_target if alias.is_alias else alias
            lines.append(f"- [`{name}`]({self._known[target.path]}): {self._summary(target)}")
        yield "\n".join(lines)
        yield "By page:"
        yield "\n".join(f"- [{title}]({p}.md): {what}" for p, (title, what, _) in PAGES.items())
        yield (
            "What is not on these pages may change without notice. Tensors of audio are `[B, T]`"
            " in [-1, 1], with their lengths; thresholds are `[B, frames, bins]`, as power."
        )

    def _page(self, page: str) -> Iterator[str]:
        title, what, modules = PAGES[page]
        yield f"# {title}"
        yield what
        for name, names in modules.items():
            module = self._package[name]
            yield f"## mondegreen.{name} {{ #{module.path} }}"
            if module.docstring:
                yield self._prose(module.docstring.value)
            for thing in _chosen(module, names.split()):
                yield from self._thing(thing, "###")

    def _thing(self, thing: griffe.Object, level: str) -> Iterator[str]:
        yield f"{level} {thing.name} {{ #{thing.path} }}"
        yield f"```python\n{_signature(thing)}\n```"
        for section in thing.docstring.parsed if thing.docstring else ():
            yield from self._section(section)
        if isinstance(thing, griffe.Class):
            if described := list(_described(thing)):
                yield from ("**Fields**", self._list(described))
            for member in thing.members.values():
                if not member.is_alias and member.is_public and member.docstring:
                    yield from self._thing(member, f"{level}#")

    def _section(self, section: griffe.DocstringSection) -> Iterator[str]:
        match section.kind.value:
            case "text":
                yield self._prose(section.value)
            case "parameters" | "attributes":
                yield f"**{'Arguments' if section.kind.value == 'parameters' else 'Attributes'}**"
                yield self._list((f"`{one.name}`", one.description) for one in section.value)
            case "raises":
                yield "**Raises**"
                yield self._list(
                    (self._prose(_each(str(one.annotation))), one.description)
                    for one in section.value
                )
            case "returns" | "yields":
                yield f"**{section.kind.value.capitalize()}**"
                yield self._prose(" ".join(one.description for one in section.value))
            case "examples":
                for kind, text in section.value:
                    code = kind.value == "examples"
                    yield f"```pycon\n{text}\n```" if code else self._prose(text)
            case "admonition":
                yield f"**{section.title}**"
                yield self._prose(section.value.contents)
            case other:
                raise ValueError(f"{other}: a section of a docstring that nothing is known of")

    def _list(self, entries: Iterable[tuple[str, str]]) -> str:
        indented = ((term, self._prose(text).replace("\n", "\n    ")) for term, text in entries)
        return "\n\n".join(f"{term}\n:   {text}" for term, text in indented)

    def _summary(self, thing: griffe.Object) -> str:
        docstring = thing.docstring.value if thing.docstring else ""
        return self._prose(docstring.partition("\n\n")[0].replace("\n", " "))

    def _prose(self, text: str) -> str:
        """A docstring's text, with its examples as code and the names that it mentions as links."""
        return re.sub(
            r"^>>> .*(?:\n.+)*|``?([\w.]+)``?",
            lambda found: self._linked(found[0], found[1]),
            text,
            flags=re.M,
        )

    def _linked(self, whole: str, name: str | None) -> str:
        if name is None:
            return f"```pycon\n{whole}\n```"
        # a word in small letters may be anything: `attack` is also the name of a split
        address = None if re.fullmatch("[a-z]+", name) else self._known.get(name)
        return f"[`{name}`]({address})" if address else f"`{name}`"


def _chosen(module: griffe.Object, names: list[str]) -> list[griffe.Object]:
    """The classes and functions of a module, those with these names, or all that are public."""
    if names:
        return [module[name] for name in names]
    own = [m for m in module.members.values() if not m.is_alias and m.is_public]
    return [member for member in own if member.is_class or member.is_function]


def _signature(thing: griffe.Object) -> str:
    if isinstance(thing, griffe.Function):
        return _one_a_line(thing.signature(return_type=True))
    if isinstance(thing, griffe.Class):
        head = f"class {thing.name}({', '.join(map(str, thing.bases))})".replace("()", "")
        fields = [] if list(_described(thing)) else _fields(thing)
        return "\n    ".join([f"{head}:", *fields]) if fields else head
    annotation = getattr(thing, "annotation", None)
    return f"{thing.name}: {annotation}" if annotation else thing.name


def _one_a_line(signature: str) -> str:
    """A signature with one argument a line, if it is too long for one."""
    if len(signature) <= WIDTH:
        return signature
    depth, out, closed = 0, "", False
    for character in signature:
        depth -= character in ")]}"
        if character == ")" and depth == 0 and not closed:
            out, closed = f"{out},\n", True
        out += character
        depth += character in "([{"
        if character in "(," and depth == 1 and not closed:
            out += "\n    "
    return out.replace("\n     ", "\n    ")


def _fields(thing: griffe.Class) -> list[str]:
    """The fields of a class as its source has them, since comments say what they are."""
    lines = ["", *thing.module.lines_collection[thing.filepath]]  # counted from 1
    return [
        line
        for member in thing.members.values()
        if member.is_attribute and getattr(member, "annotation", None) and not member.docstring
        if member.is_public and "property" not in member.labels
        for line in dedent("\n".join(lines[member.lineno : member.endlineno + 1])).splitlines()
    ]


def _each(names: str) -> str:
    """Each of the names, in a tuple or alone, as code."""
    return ", ".join(f"`{name}`" for name in re.findall(r"[\w.]+", names))


def _described(thing: griffe.Class) -> Iterator[tuple[str, str]]:
    """The fields that say themselves what they are for, as those of `Options` do."""
    for name, member in thing.members.items():
        for argument in getattr(getattr(member, "value", None), "arguments", ()):
            if getattr(argument, "name", "") == "description":
                yield f"`{name}`", ast.literal_eval(str(argument.value))

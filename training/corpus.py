"""Sentences for synthetic voices, from Debian packages: a Bible, quotations and an essay.

    apt-get install bible-kjv fortunes anarchism

Text is reduced to the head's alphabet: lower-case letters, apostrophe and space. Sentences with
digits or foreign letters are left out: their spelling does not tell how they sound.
"""

from __future__ import annotations

import html
import re
import subprocess
from collections.abc import Iterator
from gzip import decompress
from pathlib import Path

FORTUNES = Path("/usr/share/games/fortunes")
SUBJECTS = ("literature", "people", "science", "wisdom", "work", "songs-poems", "men-women", "art")
ESSAY = Path("/usr/share/doc/anarchism/html")
WORDS = range(3, 26)


def sentences() -> list[str]:
    """Every usable sentence once, in a fixed order."""
    texts = [*_bible(), *_fortunes(), *_essay()]
    return list(dict.fromkeys(sentence for text in texts for sentence in _split(text)))


def _split(text: str) -> Iterator[str]:
    text = re.sub(r"[\u2018\u2019]", "'", " ".join(text.split()))
    for sentence in re.split(r"(?<=[.!?;:])\s+|[\"\u201c\u201d()\[\]]|--", text):
        if re.search(r"[^A-Za-z',.!?;:\- ]|[A-Z]{2}|\b[A-Za-z]\.", sentence):
            continue
        words = re.sub(r"[^a-z' ]", " ", sentence.lower()).split()
        if len(words) in WORDS and all(re.fullmatch(r"[a-z]+('[a-z]+)?", word) for word in words):
            yield " ".join(words)


def _bible() -> Iterator[str]:
    found = subprocess.run(
        ["bible", "-f", "gen1:1-rev22:21"], check=True, capture_output=True, text=True
    )
    for line in found.stdout.splitlines():
        yield re.sub(r"^\S+\s*\d*:?\d*\s", "", line)


def _fortunes() -> Iterator[str]:
    for subject in SUBJECTS:
        for saying in (FORTUNES / subject).read_text("utf-8", "replace").split("\n%\n"):
            yield re.sub(r"(?m)^\s*--.*", "", saying)


def _essay() -> Iterator[str]:
    for page in sorted(ESSAY.glob("*.html*")):
        content = page.read_bytes()
        text = (decompress(content) if page.suffix == ".gz" else content).decode("utf-8", "replace")
        yield html.unescape(re.sub(r"<[^>]*>", " ", text))

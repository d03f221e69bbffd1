"""The page of how to cite: CITATION.cff as sentences and as BibTeX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def citation(file: Path) -> str:
    """The page, in Markdown."""
    cff = yaml.safe_load(file.read_text(encoding="utf-8"))
    paper = cff["references"][0]
    software = {
        "title": f"{{{cff['title']}}}",
        "author": f"{{{cff['authors'][0]['name']}}}",
        "version": cff["version"],
        "note": f"License: {cff['license']}",
    }
    conference = {
        "title": paper["title"],
        "author": " and ".join(
            f"{a['family-names']}, {a['given-names']}" for a in paper["authors"]
        ),
        "year": paper["year"],
        "booktitle": paper["collection-title"],
        "volume": paper["volume"],
        "publisher": paper["publisher"]["name"],
    }
    return "\n\n".join(
        [
            "# How to cite",
            cff["message"],
            "The software:",
            _bibtex("software", cff["title"], software),
            "The paper:",
            _bibtex("inproceedings", "qin2019imperceptible", conference),
            "Say also which preset and how many passes your numbers are from, and of [a suite]"
            "(docs/suites.md) its version: each record, and the card of a suite, has them.",
            "The same as a file that reference managers read:",
            f'```yaml title="{file.name}"\n{file.read_text(encoding="utf-8").strip()}\n```',
        ]
    )


def _bibtex(kind: str, key: str, fields: dict[str, Any]) -> str:
    lines = [f"  {name:<9} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"```bibtex\n@{kind}{{{key},", *lines, "}\n```"])

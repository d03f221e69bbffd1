"""Make the site: gather its pages in build/pages, and have Zensical build them; `make site`.

The pages of docs/ are at its root. Whatever a page links to in the repository comes along and is a
page too, and links are written anew: so the same pages can be read in the repository and here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

import nbformat

from docs.api import PAGES, Reference
from docs.citation import citation
from docs.notebook import notebook_page
from docs.sounds import MADE, players

ROOT: Final = Path(__file__).resolve().parents[1]
START: Final = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/quickstart.ipynb")
RENAMED: Final = {
    "README.md": "start.md",
    "CITATION.cff": "cite.md",
    "CONTRIBUTING.md": "contributing.md",
    "RESPONSIBLE_USE.md": "responsible-use.md",
    "CHANGELOG.md": "changes.md",
    "examples/quickstart.ipynb": "quickstart.md",
    "training/README.md": "training/index.md",
}
REFERENCE: Final = {"mondegreen": "index"} | {f"mondegreen/{page}": page for page in PAGES}
COPIED: Final = {".png", ".svg", ".css", ".js"}
LANGUAGES: Final = {".py": "python", ".toml": "toml", ".yml": "yaml", ".sbatch": "bash"}
NOT_RUN: Final = "*Not run for this copy of the site: `make sounds site` shows what comes out.*"
LINK: Final = re.compile(r"\]\(([^)#:\s]+)(#[^)\s]*)?\)|(?<=src=\")([^\":]+)(?=\")")


def place(path: str) -> str:
    """Where a file of the repository is in the site."""
    if path in RENAMED:
        return RENAMED[path]
    if path in REFERENCE:
        return f"api/{REFERENCE[path]}.md"
    inside = path.removeprefix("docs/")
    if (ROOT / path).is_dir():
        return f"{inside}/index.md"
    return inside if Path(path).suffix in COPIED | {".md"} else f"{inside}.md"


def gather(pages: Path) -> None:
    """Write all pages into a folder, which is made anew."""
    shutil.rmtree(pages, ignore_errors=True)
    waiting = [*START, *(f"docs/{p.relative_to(ROOT / 'docs')}" for p in _own())]
    seen = set(waiting)
    while waiting:
        path = waiting.pop()
        to = pages / place(path)
        to.parent.mkdir(parents=True, exist_ok=True)
        if Path(path).suffix in COPIED:
            shutil.copyfile(ROOT / path, to)
            continue
        text, linked = relinked(path, page(path))
        to.write_text(text, encoding="utf-8")
        waiting += linked - seen
        seen |= linked
    for name, text in Reference().pages():
        to = pages / "api" / f"{name}.md"
        to.parent.mkdir(exist_ok=True)
        to.write_text(text, encoding="utf-8")
    if MADE.is_dir():
        shutil.copytree(MADE, pages / "sounds", ignore=shutil.ignore_patterns("*.md", "results"))


def _own() -> Iterator[Path]:
    """The pages of docs/ and what the site looks like."""
    for names in ("*.md", "site.*", "mark.svg"):
        yield from (ROOT / "docs").glob(names)


def page(path: str) -> str:
    """The page of a file or folder of the repository."""
    file = ROOT / path
    if file.is_dir():
        inside = sorted(p for p in file.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        return "\n\n".join([f"# {path}", *(_code(p, str(p.relative_to(file))) for p in inside)])
    match file.suffix:
        case ".md":
            text = file.read_text(encoding="utf-8")
            return re.sub(r"<!-- sounds:?(.*) -->", lambda found: players(found[1].split()), text)
        case ".ipynb":
            return _notebook(file)
        case ".cff":
            return citation(file)
        case _:
            return f"# {file.name}\n\n{_code(file, path)}"


def _notebook(file: Path) -> str:
    ran = MADE / "quickstart.md"
    if ran.exists():
        return ran.read_text(encoding="utf-8")
    return f"{notebook_page(nbformat.read(file, as_version=4), MADE)}\n\n{NOT_RUN}"


def _code(file: Path, title: str) -> str:
    fence = f'```{LANGUAGES.get(file.suffix, "text")} title="{title}"'
    return f"{fence}\n{file.read_text(encoding='utf-8').strip()}\n```"


def relinked(path: str, text: str) -> tuple[str, set[str]]:
    """A page with its links as in the site, and the files of the repository that they lead to."""
    here, linked = PurePosixPath(place(path)).parent, set[str]()

    def anew(found: re.Match[str]) -> str:
        target = os.path.normpath(PurePosixPath(path).parent / (found[1] or found[3]))
        if not (ROOT / target).exists():  # made here: a sound, a page of the reference
            return found[0]
        if target not in REFERENCE:
            linked.add(target)
        address = os.path.relpath(place(target), here)
        return address if found[3] else f"]({address}{found[2] or ''})"

    # what is quoted as code has no links
    parts = re.split(r"(^```.*?^```|`[^`\n]*`)", text, flags=re.M | re.S)
    parts[::2] = [LINK.sub(anew, part) for part in parts[::2]]
    return "".join(parts), linked


def build(folder: Path = ROOT) -> Path:
    """Build the site in a folder with an `mkdocs.yml`; returns where it is."""
    gather(folder / "build" / "pages")
    subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--clean", "--strict"], cwd=folder, check=True
    )
    return folder / "build" / "site"


if __name__ == "__main__":
    build()

"""The page of a notebook; run, it shows what came out, with sound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import nbclient
import nbformat
from nbformat import NotebookNode


def run(file: Path, folder: Path) -> NotebookNode:
    """A notebook, run in a folder."""
    notebook = nbformat.read(file, as_version=4)
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def notebook_page(notebook: NotebookNode, frames: Path) -> str:
    """A notebook in Markdown; pages in its outputs go into a folder, to be shown in frames."""
    parts: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        parts += _shown(cell.outputs, frames / f"quickstart-{cell.id}.html")
    return "\n\n".join(parts)


def _shown(outputs: list[NotebookNode], page: Path) -> Iterator[str]:
    for output in outputs:
        if output.get("name") == "stderr":  # warnings of this machine's packages
            continue
        data = output.get("data", {})
        framed = re.search(r'<iframe srcdoc="([^"]*)"', data.get("text/html", ""))
        if framed:
            page.write_text(unescape(framed[1]), encoding="utf-8")
            yield f'<iframe class="report" src="sounds/{page.name}" title="The result"></iframe>'
        elif text := output.get("text") or data.get("text/plain", ""):
            yield f"```text\n{text.strip()}\n```"

"""One direction, no way back: a module imports only from what stands left of it."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import mondegreen

PACKAGE = Path(mondegreen.__file__).parent

# Left to right. A room is a module or a subpackage directly under `mondegreen`.
ROOMS = (
    "errors",
    "files",
    "reading",
    "findings",
    "options",
    "airs",
    "processors",
    "wording",
    "text",
    "aim",
    "audio",
    "psychoacoustics",
    "data",
    "air",
    "foreign",
    "plugins",
    "names",
    "chain",
    "victims",
    "results",
    "measures",
    "search",
    "attacks",
    "judging",
    "runs",
    "report",
    "gating",
    "suites",
    "defending",
    "listening",
    "doctor",
)
DOORS = (
    "",
    "__main__",
    "cli",
    "notebook",
)  # the package itself and the command line see everything

Graph = Mapping[str, frozenset[str]]  # dotted module -> dotted modules it imports


def room(module: str) -> str:
    """`mondegreen.search.loop` -> `search`; the package itself is ``."""
    return [*module.split("."), ""][1]


def imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Every name imported, in full; `from a import b` may mean the module `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield from (f"{base}.{alias.name}" for alias in node.names)


class AtRunTime(ast.NodeTransformer):
    """Drops what stands under `if TYPE_CHECKING:`, which no running program imports."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        only_for_types = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return node.orelse if only_for_types else node


def resolve(name: str, modules: frozenset[str]) -> str:
    """The longest leading part that is one of our modules; other packages' names as they are."""
    parts = name.split(".")
    candidates = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
    return next((candidate for candidate in candidates if candidate in modules), name)


def read_graph(folder: Path, *, for_types: bool = True) -> Graph:
    """Imports of every module of a package, with or without those that only type checkers see."""
    files = {dotted(path, folder): path for path in folder.rglob("*.py")}
    modules = frozenset(files)
    graph = {}
    for module, path in files.items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        tree: ast.AST = ast.parse(path.read_text(encoding="utf-8"))
        names = imported(tree if for_types else AtRunTime().visit(tree), package)
        graph[module] = frozenset(resolve(name, modules) for name in names)
    return graph


def dotted(path: Path, folder: Path) -> str:
    parts = path.relative_to(folder.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def ours(module: str) -> bool:
    return module.split(".")[0] == PACKAGE.name


def backward(graph: Graph) -> list[str]:
    """Imports of what stands further right, or of the package itself."""
    order = {name: place for place, name in enumerate(ROOMS)}
    return [
        f"{module} imports {target}"
        for module, targets in sorted(graph.items())
        if room(module) not in DOORS
        for target in sorted(targets)
        if ours(target) and order.get(room(target), len(ROOMS)) > order.get(room(module), -1)
    ]


def reach(graph: Graph, start: str) -> frozenset[str]:
    """All that a room imports, directly or through our own modules."""
    seen: set[str] = set()
    todo = [module for module in graph if room(module) == start]
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.add(module)
            todo.extend(graph.get(module, ()))
    return frozenset(seen)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return read_graph(PACKAGE)


@pytest.fixture(scope="module")
def at_run_time() -> Graph:
    return read_graph(PACKAGE, for_types=False)


def test_every_module_has_its_place(graph: Graph) -> None:
    assert {room(module) for module in graph} - set(ROOMS) - set(DOORS) == set()


def test_imports_go_one_way(graph: Graph) -> None:
    assert backward(graph) == []


@pytest.mark.parametrize("start", ["results", "report", "gating", "listening"])
def test_what_is_made_afterwards_needs_neither_torch_nor_a_victim(
    at_run_time: Graph, start: str
) -> None:
    found = reach(at_run_time, start)
    heavy = {name.split(".")[0] for name in found} & {"torch", "transformers", "onnxruntime"}
    assert heavy == set()
    ours_found = {room(name) for name in found if ours(name)}
    assert (
        ours_found & {"psychoacoustics", "air", "victims", "measures", "search", "attacks"} == set()
    )


def test_the_loop_knows_nothing_of_files_or_verification() -> None:
    package = f"{PACKAGE.name}.search"
    files = (PACKAGE / "search").glob("*.py")
    direct = {n for f in files for n in imported(ast.parse(f.read_text("utf-8")), package)}
    assert {name.split(".")[0] for name in direct} & {"soundfile", "wave", "tempfile"} == set()
    assert {f"{PACKAGE.name}.audio.pcm.load", f"{PACKAGE.name}.audio.pcm.save"} & direct == set()


def test_files_that_may_be_anybodys_are_read_in_one_place() -> None:
    """Not so what comes with a recogniser: its own libraries read that."""
    ways = re.compile(
        r"json\.loads?\(|tomllib|safe_open|load_file|\.read_(text|bytes)\(|\.resolve\("
    )
    elsewhere = [
        f"{path.relative_to(PACKAGE)}: {found[0]}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "reading.py" and "victims" not in path.parts
        for found in ways.finditer(path.read_text("utf-8"))
    ]
    assert elsewhere == []


# ---- the guard itself ------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A package like ours in which each kind of forbidden import occurs once."""
    files = {
        "__init__.py": "from mondegreen.cli import main",
        "errors.py": "",
        "audio.py": "import torch\nfrom mondegreen.errors import AudioError",
        "text.py": "from mondegreen import __version__",
        "search/__init__.py": "",
        "search/loop.py": "def f():\n    from ..judging import verify\n    from . import stage",
        "search/stage.py": "import mondegreen.runs.manifest",
        "judging/__init__.py": "",
        "judging/verify.py": "from mondegreen.search.stage import Stage",
        "runs/__init__.py": "",
        "runs/manifest.py": "from mondegreen.audio import load",
        "report/page.py": "from mondegreen.runs import manifest",
        "runs/plan.py": "if TYPE_CHECKING:\n    import transformers\nelse:\n    import ray",
        "cli.py": "import mondegreen.report.page",
    }
    for name, source in files.items():
        path = tmp_path / "mondegreen" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return tmp_path / "mondegreen"


def test_the_guard_finds_what_goes_backward(house: Path) -> None:
    assert backward(read_graph(house)) == [
        "mondegreen.search.loop imports mondegreen.judging.verify",
        "mondegreen.search.stage imports mondegreen.runs.manifest",
        "mondegreen.text imports mondegreen",
    ]


def test_the_guard_sees_through_modules(house: Path) -> None:
    assert "torch" in reach(read_graph(house), "report")


def test_the_guard_tells_run_time_from_types(house: Path) -> None:
    found = reach(read_graph(house, for_types=False), "runs")
    assert "ray" in found
    assert "transformers" not in found
    assert "transformers" in reach(read_graph(house), "runs")


def test_there_is_one_way_to_print() -> None:
    """Ruff forbids `print` everywhere; other consoles and streams would let anything through."""
    ways = ("rich.console", "sys.stdout.write", "sys.stderr.write", "typer.echo", "typer.secho")
    modules = {path: path.read_text("utf-8") for path in PACKAGE.rglob("*.py")}
    found = [path.name for path, text in modules.items() if any(way in text for way in ways)]
    assert found == ["console.py"]


def test_neither_the_report_nor_the_help_nor_a_maker_of_rooms_pays_for_torch() -> None:
    imports = "import sys, mondegreen.cli, mondegreen.report.page.write"
    imports += ", mondegreen.air.rooms.processes, mondegreen.air.rooms.responses"
    check = f"{imports}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_a_worker_starts_without_the_parts_of_scipy_that_take_a_second() -> None:
    slow = "{'scipy.signal', 'scipy.stats', 'scipy.ndimage'}"
    check = f"import sys, mondegreen.runs.worker; assert not {slow} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_the_package_has_sixteen_public_names_at_most_and_each_is_there() -> None:
    assert len(mondegreen.__all__) <= 16
    assert set(mondegreen.__all__) <= set(dir(mondegreen))
    for name in mondegreen.__all__:
        assert getattr(mondegreen, name).__name__ == name

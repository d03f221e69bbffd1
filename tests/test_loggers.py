"""The examples of loggers: each gets what an attack tells, against stand-ins for their packages."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from toy import TARGET, linear_victim, speech

from mondegreen import Record, attack
from mondegreen.audio.pcm import save

EXAMPLES = Path(__file__).parents[1] / "examples" / "loggers"
Logged = dict[tuple[str, int], float]  # by what is plotted, and where on its axis


def tensorboard(example: dict[str, Any], logged: Logged) -> Callable[..., None]:
    def add_scalar(name: str, value: float, step: int) -> None:
        logged[name, step] = value

    log: Callable[..., None] = example["logger"](SimpleNamespace(add_scalar=add_scalar))
    return log


def wandb(example: dict[str, Any], logged: Logged) -> Callable[..., None]:
    axes: dict[str, str] = {}

    def define_metric(pattern: str, step_metric: str) -> None:
        axes[pattern.removesuffix("/*")] = step_metric

    def note(numbers: dict[str, float]) -> None:
        for name, value in numbers.items():
            axis = axes[name.rpartition("/")[0]]
            if name != axis:
                logged[name, int(numbers[axis])] = value

    run = SimpleNamespace(define_metric=define_metric, log=note)
    log: Callable[..., None] = example["logger"](run)
    return log


def mlflow(example: dict[str, Any], logged: Logged) -> Callable[..., None]:
    def log_metrics(numbers: dict[str, float], step: int) -> None:
        logged.update({(name, step): value for name, value in numbers.items()})

    example["mlflow"].log_metrics = log_metrics
    log: Callable[..., None] = example["log"]
    return log


@pytest.mark.parametrize(
    ("name", "package", "stand_in"),
    [
        ("to_tensorboard", "torch.utils.tensorboard", tensorboard),
        ("to_wandb", "wandb", wandb),
        ("to_mlflow", "mlflow", mlflow),
    ],
)
def test_an_example_logs_every_number_of_every_pass(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    package: str,
    stand_in: Callable[[dict[str, Any], Logged], Callable[..., None]],
) -> None:
    module = ModuleType(package)
    module.SummaryWriter = None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, package, module)
    save(tmp_path / "clip.wav", speech(), 16_000)
    logged: Logged = {}
    log = stand_in(runpy.run_path(str(EXAMPLES / f"{name}.py")), logged)
    told: list[Any] = []

    def both(clip: str, news: Any) -> None:
        told.append(news)
        log(clip, news)

    attack(linear_victim(), tmp_path / "clip.wav", TARGET, max_passes=12, on_news=both)
    assert logged == {
        (f"clip/{name}", one.passes): value for one in told for name, value in one.numbers.items()
    }
    assert isinstance(told[-1], Record)
    assert logged["clip/verified", 12] == 1.0
    assert ("clip/loss", 1) in logged


def test_they_are_short() -> None:
    for path in EXAMPLES.glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 40, path.name

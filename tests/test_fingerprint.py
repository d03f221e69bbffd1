"""The hash of a recogniser's weights: the same for the same, another for any other."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

import torch
from toy import linear_victim

from mondegreen.chain.own import Own
from mondegreen.victims.fingerprint import fingerprint
from mondegreen.victims.through import through


class Parts:
    """Holds what a victim may hold: a module, a tensor, itself, and things of other packages."""

    def __init__(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> None:
        torch.manual_seed(seed)
        self.network = torch.nn.Linear(3, 2).to(dtype)
        self.norm = torch.nn.BatchNorm1d(2)
        self.scale = torch.ones(2)
        self.owner = self
        self.torch = torch
        self.logger = logging.getLogger()
        self.words = ["a", "b"]


def test_it_is_of_all_weights_and_nothing_else() -> None:
    assert fingerprint(Parts()) == fingerprint(Parts())
    named = Parts()
    named.words = []
    named.heard = 7
    assert fingerprint(named) == fingerprint(Parts())
    assert len(fingerprint(named)) == 64


def test_the_code_of_ones_own_link_belongs_to_it(tmp_path: Path) -> None:
    found = []
    for factor in (1.0, 0.5, 0.5):
        (tmp_path / "edited.py").write_text(f"def f(audio, sample_rate): return {factor} * audio")
        spec = importlib.util.spec_from_file_location("edited", tmp_path / "edited.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        own = Own(sample_rate=16_000, called="edited:f", function=module.f)
        found.append(fingerprint(through(linear_victim(), own)))
    assert found[0] != found[1] == found[2]


def test_any_other_weight_is_another() -> None:
    found = [Parts(), Parts(seed=1), Parts(dtype=torch.float64), Parts(), Parts(), Parts()]
    found[3].scale[1] = 2
    found[4].norm.running_mean[0] = 1  # no parameter, and heard all the same
    found[5].extra = torch.zeros(1)
    assert len({fingerprint(parts) for parts in found}) == 6


def test_parts_in_lists_and_mappings_count() -> None:
    found = []
    for seed in (0, 0, 1):
        parts = Parts()
        torch.manual_seed(seed)
        parts.words = [{"network": torch.nn.Linear(2, 2)}, (torch.zeros(1),)]
        found.append(fingerprint(parts))
    assert found[0] == found[1] != found[2] != fingerprint(Parts())


def test_a_part_that_is_held_twice_counts_once() -> None:
    parts = Parts()
    parts.words = [parts.network, parts.scale]
    parts.whole = torch.nn.ModuleList([parts.network, parts.norm])
    assert fingerprint(parts) == fingerprint(Parts())


def test_where_a_tensor_lies_in_memory_is_no_part_of_it() -> None:
    parts = Parts()
    parts.scale = torch.ones(2, 2)[:, 0]
    assert fingerprint(parts) == fingerprint(Parts())


def test_toys_differ_by_their_weights() -> None:
    assert fingerprint(linear_victim(0)) == fingerprint(linear_victim(0))
    assert fingerprint(linear_victim(0)) != fingerprint(linear_victim(1))

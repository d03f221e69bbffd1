"""Counts how often the host would wait for a device, on a machine whose only device is the host.

A tensor lies "in main memory" if it was made there (by a factory without a device), copied there
(`cpu`), or computed from such tensors alone; any other stands for one on the device. Reading a
value of the latter, or an operation whose result's shape depends on its values, is a wait; so is a
copy in either direction that is not told `non_blocking`. To mix the two in one operation is an
error, as it is with a real device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
READING = {
    aten._local_scalar_dense,
    aten._unique2,
    aten.equal,
    aten.is_nonzero,
    aten.masked_select,
    aten.nonzero,
    aten.repeat_interleave,
    aten.unique_consecutive,
    aten.unique_dim,
}
TAKES_COUNTS = {aten._ctc_loss, aten._ctc_loss_backward}  # they want lengths in main memory
INDEXING = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_}
UNDISPATCHED = {Tensor.tolist, Tensor.numpy, Tensor.__array__}  # on a CPU they only read memory


@contextmanager
def counted() -> Iterator[list[str]]:
    """Within it, the list grows by the name of each wait."""
    waits: list[str] = []
    with _Calls(waits), _Operations(waits):
        yield waits


class _Calls(TorchFunctionMode):
    """Copies and reads that no operation shows where device and host are one."""

    def __init__(self, waits: list[str]) -> None:
        super().__init__()
        self.waits = waits

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in UNDISPATCHED and not on_host(args[0]):
            self.waits.append(func.__name__)
        if func is Tensor.__iter__:
            return iter(args[0].unbind())
        if func in (Tensor.cpu, Tensor.to):
            return self._copied(func, args, kwargs)
        made = func(*args, **kwargs)
        if isinstance(made, Tensor) and not _tensors((args, kwargs)):
            if kwargs.get("device") is None:
                made.in_main_memory = True
            elif func is torch.tensor:
                self.waits.append("tensor")
        return made

    def _copied(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Tensor:
        source, *rest = args
        wanted = [*rest, kwargs.get("device"), kwargs.get("other")]
        places = [value for value in wanted if isinstance(value, torch.device | str)]
        places += [None for value in wanted if isinstance(value, Tensor) and not on_host(value)]
        to_host = func is Tensor.cpu or "cpu" in [p for p in places if isinstance(p, str)]
        made: Tensor = func(*args, **kwargs)
        if (not to_host and not places) or to_host == on_host(source):
            return made
        if not kwargs.get("non_blocking"):
            self.waits.append(func.__name__)
        made = made.clone()
        made.in_main_memory = to_host
        return made


class _Operations(TorchDispatchMode):
    """Operations that read values of tensors on the device, from whatever code they come."""

    def __init__(self, waits: list[str]) -> None:
        super().__init__()
        self.waits = waits

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        tensors = _tensors((args, kwargs))
        on_device = [tensor for tensor in tensors if not on_host(tensor)]
        packet = func.overloadpacket
        reads = packet in READING or (packet in INDEXING and _by_value(args[1]))
        if on_device and reads:
            self.waits.append(str(packet))
        if on_device and packet not in INDEXING | TAKES_COUNTS:
            strangers = [t for t in tensors if on_host(t) and t.ndim > 0]
            assert not strangers, f"{func} of tensors on the device and in main memory"
        made = func(*args, **(kwargs or {}))
        if tensors and not on_device:
            for tensor in _tensors(made):
                tensor.in_main_memory = True
        return made


def _by_value(indices: Sequence[Tensor | None]) -> bool:
    """Whether an index has as many elements as a mask says, or must be copied to the device."""
    return any(i is not None and (i.dtype == torch.bool or on_host(i)) for i in indices)


def on_host(tensor: Tensor) -> bool:
    """Whether a tensor lies in main memory."""
    return getattr(tensor, "in_main_memory", False)


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]

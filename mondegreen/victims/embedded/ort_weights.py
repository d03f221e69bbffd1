"""The weights inside an ONNX Runtime `.ort` model, as plain arrays under their module paths.

An `.ort` file is a flatbuffer; its schema classes ship with onnxruntime. The exporter quantised the
weights of linear layers to 8 bits, `(q - zero_point) * scale`, and left the rest in float32. A
quantised product keeps its module path in the node's name (`/layers.0/mlp/fc1/MatMul_quant`), a
float weight in the initializer's own name (`layers.0.mlp.fc1.bias`); the merged decoder appends
`_merged_0`, and keeps the graph that runs without a cache in the `else_branch` of one `If` node.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mondegreen.errors import VictimError

Array = npt.NDArray[Any]

_DTYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 7: np.int64}  # onnx.TensorProto.DataType
_FLOAT_WEIGHT = re.compile(r"^(?!/|onnx::)(?P<path>.+\.(weight|bias))(_add_tensor)?(_merged_0)?$")
_QUANTISED_EMBEDDING = re.compile(r"^(?!onnx::)(?P<path>.+\.weight)_merged_0_quantized$")


def read_ort_weights(path: Path) -> dict[str, Array]:
    """Every learned weight of an `.ort` file, dequantised: module path to float32 array.

    Paths are like `layers.0.mlp.fc1.weight`; linear weights are [out, in], as in PyTorch.

    Raises:
        VictimError: the file is not an ORT flatbuffer.
    """
    graphs = list(_graphs(_root_graph(path)))
    tensors = {name: value for graph in graphs for name, value in _initializers(graph)}
    weights = {m["path"]: tensors[n] for n in tensors if (m := _FLOAT_WEIGHT.match(n))}
    for name in tensors:
        if match := _QUANTISED_EMBEDDING.match(name):
            weights[match["path"]] = _dequantise(tensors, name)
    for graph in graphs:
        weights.update(_weights_named_by_nodes(graph, tensors))
    return weights


def _root_graph(path: Path) -> Any:
    from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs import InferenceSession

    buffer, session = path.read_bytes(), InferenceSession.InferenceSession
    if not session.InferenceSessionBufferHasIdentifier(buffer, 0):
        raise VictimError(
            f"{path} is not an ONNX Runtime model; reinstall the package it came with"
        )
    return session.GetRootAs(buffer, 0).Model().Graph()


def _graphs(graph: Any) -> Iterator[Any]:
    """The graph, then the branch that runs without a cache, if there is one."""
    yield graph
    for node in _nodes(graph):
        for i in range(node.AttributesLength()):
            if node.Attributes(i).Name() == b"else_branch":
                yield node.Attributes(i).G()


def _nodes(graph: Any) -> Iterator[Any]:
    return (graph.Nodes(i) for i in range(graph.NodesLength()))


def _initializers(graph: Any) -> Iterator[tuple[str, Array]]:
    for i in range(graph.InitializersLength()):
        tensor = graph.Initializers(i)
        if tensor.DataType() in _DTYPES and tensor.RawDataLength():
            shape = [tensor.Dims(j) for j in range(tensor.DimsLength())]
            flat = tensor.RawDataAsNumpy().view(_DTYPES[tensor.DataType()])
            yield tensor.Name().decode(), flat.reshape(shape)


def _weights_named_by_nodes(graph: Any, tensors: dict[str, Array]) -> Iterator[tuple[str, Array]]:
    """Quantised products, and the group norm, which the exporter split into a Mul and an Add."""
    for node in _nodes(graph):
        *path, operation = node.Name().decode().strip("/").split("/")
        inputs = [node.Inputs(i).decode() for i in range(node.InputsLength())]
        learned = [name for name in inputs if name in tensors]
        if operation == "MatMul_quant":
            quantised = next(name for name in learned if name.endswith("_quantized"))
            weight = np.ascontiguousarray(_dequantise(tensors, quantised).T)
            yield ".".join([*path, "weight"]), weight
        elif path == ["groupnorm"] and operation in ("Mul", "Add"):
            leaf = {"Mul": "weight", "Add": "bias"}[operation]
            yield f"groupnorm.{leaf}", tensors[learned[0]].reshape(-1)


def _dequantise(tensors: dict[str, Array], name: str) -> Array:
    stem = name.removesuffix("_quantized")
    zero_point = tensors[stem + "_zero_point"].astype(np.float32)
    return (tensors[name].astype(np.float32) - zero_point) * tensors[stem + "_scale"]

"""Tiny networks with the signatures of PaddleOCR's, as ONNX files in the folders that PaddlePaddle publishes.

The detector takes what is dark for text. The recognizer reads its first character in the columns of a line that are
about half dark, or more, and its second in brighter ones, whatever is written there.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

from ocr_service.engines.model_folders import FILES, Runtime

_FLOAT, _INTS, _INT = 1, 7, 2
_LINE_PX, _COLUMN_PX = 48, 8
_CHANNELS = ("N", 3, "H", "W")
_NORMALIZED = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "scale": "1./255.", "order": "hwc"}


def detector(folder: Path, name: str) -> None:
    """Write a detector of this name: (N, 3, H, W) normalized colors in, (N, 1, H, W) shares of text out."""
    weights = _tensor("w", (1, 3, 1, 1), [-2.0] * 3)
    graph = _graph([_node("Conv", ["x", "w"], "c"), _node("Sigmoid", ["c"], "y")], [weights], ("N", 1, "H", "W"))
    ops = [{"DetResizeForTest": {"resize_long": 960}}, {"NormalizeImage": _NORMALIZED}, {"ToCHWImage": None}]
    post = {"name": "DBPostProcess", "thresh": 0.3, "box_thresh": 0.6, "max_candidates": 1000, "unclip_ratio": 1.5}
    _write(folder / name, graph, ops, post)


def recognizer(folder: Path, name: str, characters: Sequence[str], classes: int | None = None) -> None:
    """Write a recognizer of this name: (N, 3, 48, W) from -1 to 1 in, (N, W / 8, classes) confidences out."""
    count = classes or len(characters) + 2  # the blank before them, the space behind
    slopes = [0.0, -8.0, 8.0, *[0.0] * (count - 3)]  # that many times three colors
    weights = _tensor("w", (count, 3, 1, 1), [slope for slope in slopes for _ in range(3)])
    biases = _tensor("b", (count,), [1.0, 9.0, -9.0, *[-9.0] * (count - 3)])
    size = (_LINE_PX, _COLUMN_PX)
    nodes = [
        _node("AveragePool", ["x"], "p", kernel_shape=size, strides=size),
        _node("Conv", ["p", "w", "b"], "c"),
        _node("Squeeze", ["c"], "s", axes=(2,)),
        _node("Transpose", ["s"], "t", perm=(0, 2, 1)),
        _node("Softmax", ["t"], "y", axis=2),
    ]
    ops = [{"RecResizeImg": {"image_shape": [3, _LINE_PX, 320]}}]
    post = {"name": "CTCLabelDecode", "character_dict": list(characters)}
    _write(folder / name, _graph(nodes, [weights, biases], ("N", "T", count)), ops, post)


def put(folder: Path, *names: str, runtime: Runtime = "onnxruntime") -> None:
    """Make folders of models that hold nothing but empty files."""
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for part in FILES[runtime]:
            (folder / name / part).touch()


def _write(folder: Path, graph: bytes, ops: Sequence[object], post: object) -> None:
    folder.mkdir(parents=True)
    model = _number(1, 7) + _field(7, graph) + _field(8, _number(2, 11))  # IR version 7, opset 11
    (folder / "inference.onnx").write_bytes(model)
    decode = {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}}
    meta = {"Global": {"model_name": folder.name}, "PreProcess": {"transform_ops": [decode, *ops]}, "PostProcess": post}
    (folder / "inference.yml").write_text(json.dumps(meta), encoding="utf-8")


def _graph(nodes: Sequence[bytes], weights: Sequence[bytes], out: Sequence[str | int]) -> bytes:
    parts = [_field(1, node) for node in nodes] + [_field(2, b"g")] + [_field(5, weight) for weight in weights]
    return b"".join([*parts, _field(11, _value("x", _CHANNELS)), _field(12, _value("y", out))])


def _node(kind: str, inputs: Sequence[str], output: str, **attributes: Sequence[int] | int) -> bytes:
    named = [_field(1, name.encode()) for name in inputs] + [_field(2, output.encode()), _field(4, kind.encode())]
    return b"".join([*named, *(_field(5, _attribute(name, value)) for name, value in attributes.items())])


def _attribute(name: str, value: Sequence[int] | int) -> bytes:
    if isinstance(value, int):
        return _field(1, name.encode()) + _number(3, value) + _number(20, _INT)
    return _field(1, name.encode()) + b"".join(_number(8, one) for one in value) + _number(20, _INTS)


def _tensor(name: str, shape: Sequence[int], values: Sequence[float]) -> bytes:
    raw = struct.pack(f"<{len(values)}f", *values)
    sizes = b"".join(_number(1, side) for side in shape)
    return sizes + _number(2, _FLOAT) + _field(8, name.encode()) + _field(9, raw)


def _value(name: str, shape: Sequence[str | int]) -> bytes:
    sides = [_number(1, side) if isinstance(side, int) else _field(2, side.encode()) for side in shape]
    tensor = _number(1, _FLOAT) + _field(2, b"".join(_field(1, side) for side in sides))
    return _field(1, name.encode()) + _field(2, _field(1, tensor))


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + _varint(value >> 7)

"""Write a trained network as ONNX: `python -m training.export OUT/strokes.pt FILE.onnx`.

Batch normalization is folded into the convolutions. Input `seen` (N, 16, 32, width / 2) float32, see `network.Strokes`;
output `ink` (N, 4, 32, width / 2) float32, the probability that each of four pixels is text.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from inpaint_service.lines import HEIGHT_PX
from training.network import Strokes

OPSET = 13


class _Graph:
    """Collects the nodes and weights."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def conv(self, name: str, inputs: str, weight: NDArray[np.float32], bias: NDArray[np.float32], stride: int) -> str:
        side = weight.shape[2]
        kernel = self.constant(f"{name}.weight", weight)
        offset = self.constant(f"{name}.bias", bias)
        pads = [side // 2] * 4
        return self.add(
            "Conv", [inputs, kernel, offset], name, kernel_shape=[side, side], strides=[stride] * 2, pads=pads
        )

    def layer(self, name: str, layer: nn.Module, inputs: str) -> str:
        conv, norm = list(layer.children())[:2]
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        weight, bias = _folded(conv, norm)
        return self.add("Relu", [self.conv(f"{name}.conv", inputs, weight, bias, conv.stride[0])], name)

    def joined(self, name: str, below: str, beside: str) -> str:
        twice = self.constant(f"{name}.scales", np.array([1, 1, 2, 2], np.float32))
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        grown = self.add("Resize", [below, "", twice], f"{name}.grown", **how)
        return self.add("Concat", [grown, beside], f"{name}.joined", axis=1)


def model(network: Strokes) -> onnx.ModelProto:
    """Return the network as ONNX."""
    graph = _Graph()
    kept = [graph.layer("down1", network.down1, "seen")]
    for level, blocks in enumerate((network.down2, network.down3, network.down4), 2):
        seen = kept[-1]
        for index, block in enumerate(blocks):
            seen = graph.layer(f"down{level}.{index}", block, seen)
        kept.append(seen)
    half, found = kept[0], kept.pop()
    for level, block in ((3, network.up3), (2, network.up2), (1, network.up1)):
        found = graph.layer(f"up{level}", block, graph.joined(f"up{level}", found, kept.pop()))
    both = graph.add("Concat", [found, half], "both", axis=1)
    weight, bias = (value.detach().numpy() for value in (network.head.weight, network.head.bias))
    graph.add("Sigmoid", [graph.conv("head", both, weight, bias, 1)], "ink")
    half_px = [HEIGHT_PX // 2, "half the width"]
    seen_info = helper.make_tensor_value_info("seen", TensorProto.FLOAT, ["N", 16, *half_px])
    ink_info = helper.make_tensor_value_info("ink", TensorProto.FLOAT, ["N", 4, *half_px])
    whole = helper.make_graph(graph.nodes, "strokes", [seen_info], [ink_info], graph.weights)
    made = helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(made)
    return made


def _folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = conv.weight * factor[:, None, None, None]
    bias = norm.bias - norm.running_mean * factor
    return weight.detach().numpy(), bias.detach().numpy()


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("state", type=Path)
    parser.add_argument("onnx", type=Path)
    args = parser.parse_args()
    network = Strokes()
    network.load_state_dict(torch.load(args.state))
    args.onnx.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model(network.eval()), args.onnx)


if __name__ == "__main__":
    main()

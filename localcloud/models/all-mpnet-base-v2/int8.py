"""Turns the graph's large matrix products into products of 8-bit integers, by SmoothQuant.

A few channels of a layer's input are a hundred times as large as the others, which leaves those
too few of the 256 steps. SmoothQuant (Xiao et al., 2023) divides each channel of the input by a
factor and multiplies the weights of that channel by it, which changes no product. The factors and
the ranges of the smoothed inputs are in `int8.npz`, which `tools/make_int8.py` makes. Layers that
it leaves out stay as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

# The factors and ranges: `<number>.factors`, one for each channel, and `<number>.range`, the least
# and the greatest input. The number is the place of the product in the graph.
FILE = Path(__file__).with_name("int8.npz")
# Flags in /proc/cpuinfo of processors that multiply 8-bit integers faster than floats.
FLAGS = {"avx512_vnni", "avx_vnni", "amx_int8"}

Node = Any
Floats = NDArray[np.float32]


def pays() -> bool:
    """Whether this processor has instructions for products of 8-bit integers."""
    try:
        return bool(FLAGS & set(Path("/proc/cpuinfo").read_text().split()))
    except OSError:  # not Linux
        return False


def products(model: ov.Model) -> list[Node]:
    """The products with float weights in the order in which they are computed."""
    return [
        node
        for node in model.get_ordered_ops()
        if node.get_type_name() == "MatMul"
        and node.input_value(1).get_node().get_type_name() in {"Constant", "Convert"}
    ]


def weights_of(product: Node) -> Floats:
    """The weights of a product, shape (outputs, inputs)."""
    node = product.input_value(1).get_node()
    if node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    weights: Floats = node.data.astype(np.float32)
    return weights


def quantize(model: ov.Model) -> None:
    """Replace the products that FILE knows. Their weights take a quarter of the memory."""
    known = np.load(FILE)
    for number, product in enumerate(products(model)):
        if f"{number}.range" in known:
            low, high = known[f"{number}.range"]
            _replace(product, known[f"{number}.factors"].astype(np.float32), low, high)


def _replace(product: Node, factors: Floats, low: np.float32, high: np.float32) -> None:
    weights = weights_of(product) * factors
    scale = np.abs(weights).max(axis=1, keepdims=True) / 127
    whole = np.round(weights / scale).astype(np.int8)
    small = op.multiply(op.convert(op.constant(whole), "f32"), op.constant(scale))
    smoothed = op.multiply(product.input_value(0), op.constant(1 / factors))
    ends = [op.constant(end) for end in (low, high, low, high)]
    product.input(0).replace_source_output(op.fake_quantize(smoothed, *ends, 256).output(0))
    product.input(1).replace_source_output(small.output(0))

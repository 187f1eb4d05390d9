"""Builds all-mpnet-base-v2 as an OpenVINO graph from its safetensors file.

`python graph.py FOLDER` writes FOLDER/openvino_model.xml and .bin with fp16 weights from
FOLDER/model.safetensors. The graph is MPNet (Song et al., 2020), followed by the mean pooling and
the normalization of the sentence-transformers model. It needs no torch.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import int8
import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

MAX_TOKENS = 384
LAYERS = 12
HEADS = 12
HEAD_SIZE = 64
HIDDEN = HEADS * HEAD_SIZE
PADDING_ID = 1
EPSILON = 1e-5
BUCKETS = 32
MAX_DISTANCE = 128
IR_NAME, IR_WEIGHTS = "openvino_model.xml", "openvino_model.bin"
SAFETENSORS = "model.safetensors"

Weights = dict[str, NDArray[np.float32]]
Node = Any


def read_safetensors(path: Path) -> Weights:
    """The file's float32 tensors, memory-mapped.

    A safetensors file consists of 8 bytes with the header's length, a JSON header, and raw data.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    data = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + length)
    return {
        name: data[slice(*entry["data_offsets"])].view(np.float32).reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__" and entry["dtype"] == "F32"
    }


def relative_buckets(length: int) -> NDArray[np.int64]:
    """The bucket of each (query, key) pair, shape (length, length).

    Half of the buckets are for keys behind the query, half for keys ahead. In each half every
    small distance has its own bucket, and larger ones share buckets that widen logarithmically.
    """
    positions = np.arange(length)
    behind = positions[:, None] - positions[None, :]
    distance = np.abs(behind)
    half = BUCKETS // 2
    exact = half // 2
    scale = (half - exact) / np.log(MAX_DISTANCE / exact)
    wide = exact + (np.log(np.maximum(distance, 1) / exact) * scale).astype(np.int64)
    bucket = np.where(distance < exact, distance, np.minimum(wide, half - 1))
    result: NDArray[np.int64] = np.where(behind < 0, bucket + half, bucket)
    return result


def _ints(*values: int) -> Node:
    return op.constant(np.array(values, dtype=np.int64))


def _floats(values: NDArray[np.float32] | float) -> Node:
    return op.constant(np.ascontiguousarray(values, dtype=np.float32))


class _Builder:
    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    def tensor(self, name: str) -> Node:
        return _floats(self.weights[name])

    def linear(self, x: Node, *names: str) -> Node:
        """One matrix product for all the named layers, with their outputs side by side."""
        weight = np.concatenate([self.weights[f"{name}.weight"] for name in names])
        bias = np.concatenate([self.weights[f"{name}.bias"] for name in names])
        return op.add(op.matmul(x, _floats(weight), False, True), _floats(bias))

    def norm(self, x: Node, name: str) -> Node:
        scaled = op.mvn(x, _ints(-1), True, EPSILON, "inside_sqrt")
        scaled = op.multiply(scaled, self.tensor(f"{name}.weight"))
        return op.add(scaled, self.tensor(f"{name}.bias"))

    def embeddings(self, ids: Node, mask: Node) -> Node:
        counted = op.multiply(op.cum_sum(mask, op.constant(np.int64(1))), mask)
        positions = op.add(counted, _ints(PADDING_ID))
        words = op.gather(self.tensor("embeddings.word_embeddings.weight"), ids, _ints(0))
        places = op.gather(
            self.tensor("embeddings.position_embeddings.weight"), positions, _ints(0)
        )
        return self.norm(op.add(words, places), "embeddings.LayerNorm")

    def attention_bias(self, ids: Node, mask: Node) -> Node:
        """The bias that all layers add to the scores, shape (batch, heads, length, length)."""
        bias = self.weights["encoder.relative_attention_bias.weight"]
        table = bias[relative_buckets(MAX_TOKENS)].transpose(2, 0, 1)[None]
        length = op.gather(op.shape_of(ids, "i64"), _ints(1), _ints(0))
        ends = op.concat([length, length], 0)
        near = op.slice(_floats(table), _ints(0, 0), ends, _ints(1, 1), _ints(2, 3))
        absent = op.multiply(op.subtract(_floats(1.0), mask), _floats(-1e4))
        return op.add(near, op.unsqueeze(absent, _ints(1, 2)))

    def attention(self, x: Node, bias: Node, prefix: str) -> Node:
        def heads(part: Node) -> Node:
            split = op.reshape(part, _ints(0, 0, HEADS, HEAD_SIZE), True)
            return op.transpose(split, _ints(0, 2, 1, 3))

        joined = self.linear(x, *(f"{prefix}.attn.{part}" for part in "qkv"))
        query, key, value = op.split(joined, op.constant(np.int64(2)), 3).outputs()
        y = op.scaled_dot_product_attention(heads(query), heads(key), heads(value), bias)
        y = op.reshape(op.transpose(y, _ints(0, 2, 1, 3)), _ints(0, 0, HIDDEN), True)
        y = self.linear(y, f"{prefix}.attn.o")
        return self.norm(op.add(y, x), f"{prefix}.LayerNorm")

    def layer(self, x: Node, bias: Node, prefix: str) -> Node:
        x = self.attention(x, bias, f"{prefix}.attention")
        y = op.gelu(self.linear(x, f"{prefix}.intermediate.dense"), "erf")
        y = self.linear(y, f"{prefix}.output.dense")
        return self.norm(op.add(y, x), f"{prefix}.output.LayerNorm")


def build(weights: Weights) -> ov.Model:
    """A graph from input_ids and attention_mask to unit vectors.

    The inputs are int64 of shape (batch, length), with a length of at most 384. The output has
    shape (batch, 768).
    """
    builder = _Builder(weights)
    ids = op.parameter([-1, -1], np.int64, name="input_ids")
    mask = op.parameter([-1, -1], np.int64, name="attention_mask")
    present = op.convert(mask, "f32")
    x = builder.embeddings(ids, mask)
    bias = builder.attention_bias(ids, present)
    for number in range(LAYERS):
        x = builder.layer(x, bias, f"encoder.layer.{number}")
    column = op.unsqueeze(present, _ints(2))
    total = op.reduce_sum(op.multiply(x, column), _ints(1))
    mean = op.divide(total, op.reduce_sum(column, _ints(1)))
    vector = op.normalize_l2(mean, _ints(1), 1e-12, "max")
    return ov.Model([vector], [ids, mask], "all-mpnet-base-v2")


def convert(folder: Path) -> None:
    """Write the graph beside the folder's model.safetensors. It takes 218 MB."""
    model = build(read_safetensors(folder / SAFETENSORS))
    ov.save_model(model, folder / IR_NAME, compress_to_fp16=True)


def _widen(model: ov.Model) -> None:
    """Convert the fp16 weights of the matrix products to float32, which takes 340 MB.

    OpenVINO would otherwise convert them for every product, which takes 10% more time on AVX2. A
    processor that computes in bf16 converts them once.
    """
    if "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return
    for product in int8.products(model):
        if product.input_value(1).get_node().get_type_name() == "Convert":
            weights = _floats(int8.weights_of(product))
            product.input(1).replace_source_output(weights.output(0))


def files(folder: Path) -> list[Path]:
    """What `load` reads: the prepared graph and its weights, or the safetensors file."""
    for names in ((IR_NAME, IR_WEIGHTS), (SAFETENSORS,)):
        if (folder / names[0]).exists():
            return [folder / name for name in names]
    raise FileNotFoundError(f"{folder} holds neither {IR_NAME} nor {SAFETENSORS}")


def load(folder: Path, *, in_int8: bool = False) -> ov.Model:
    """The prepared graph if it exists, else one built from the safetensors file."""
    source = files(folder)[0]
    is_prepared = source.name == IR_NAME
    model = ov.Core().read_model(source) if is_prepared else build(read_safetensors(source))
    if in_int8:
        int8.quantize(model)
    _widen(model)
    return model


if __name__ == "__main__":
    convert(Path(sys.argv[1]))

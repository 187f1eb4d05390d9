"""A cross-encoder so small that its scores can be counted by hand, in the files of a real one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as op
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

SPECIAL = ("[UNK]", "[CLS]", "[SEP]", "[PAD]")
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def write(
    folder: Path,
    words: Sequence[str],
    *,
    inputs: Sequence[str] = INPUTS,
    labels: int = 1,
    value: float = 1.0,
) -> Path:
    """Writes `tokenizer.json` and `openvino_model.xml` into the folder, and returns it.

    A pair's score is `value` for each time that a word of the query stands in the passage, less a
    hundredth for each word piece of both that is not padding. Without token types it is the number
    of word pieces.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _tokenizer(words).save(str(folder / "tokenizer.json"))
    parameters = {name: op.parameter([-1, -1], np.int64, name=name) for name in inputs}
    for name, parameter in parameters.items():
        parameter.output(0).get_tensor().set_names({name})
    score = _score(parameters, value)
    outputs = op.concat([score] * labels, 1)
    ov.save_model(
        ov.Model([outputs], [*parameters.values()], "tiny"), folder / "openvino_model.xml"
    )
    return folder


def _tokenizer(words: Sequence[str]) -> Tokenizer:
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    return tokenizer


def _score(parameters: dict[str, Any], value: float) -> Any:
    ids, mask = parameters["input_ids"], op.convert(parameters["attention_mask"], "f32")
    pieces = op.reduce_sum(mask, _ints(1), True)
    if "token_type_ids" not in parameters:
        return pieces
    types = op.multiply(op.convert(parameters["token_type_ids"], "f32"), mask)
    words = op.multiply(op.convert(op.greater(ids, _ints(len(SPECIAL) - 1)), "f32"), mask)
    asked = op.unsqueeze(op.multiply(words, op.subtract(_floats(1.0), types)), _ints(2))
    told = op.unsqueeze(op.multiply(words, types), _ints(1))
    same = op.equal(op.unsqueeze(ids, _ints(2)), op.unsqueeze(ids, _ints(1)))
    both = op.multiply(op.convert(same, "f32"), op.multiply(asked, told))
    matches = op.unsqueeze(op.reduce_sum(both, _ints(1, 2)), _ints(1))
    less = op.multiply(pieces, _floats(0.01))
    return op.subtract(op.multiply(matches, _floats(value)), less)


def _ints(*values: int) -> Any:
    return op.constant(np.array(values, dtype=np.int64))


def _floats(value: float) -> Any:
    return op.constant(np.float32(value))


def write_onnx(folder: Path, words: Sequence[str]) -> Path:
    """As `write`, with `onnx/model.onnx`: a graph whose score is the number of word pieces.

    Its bytes are written as ONNX's onnx.proto has them, so that no library is needed for it.
    """
    (folder / "onnx").mkdir(parents=True)
    _tokenizer(words).save(str(folder / "tokenizer.json"))
    cast = _node("Cast", "attention_mask", "mask", _field(1, b"to") + _field(3, 1) + _field(20, 2))
    axes = _field(1, b"axes") + _field(8, 1) + _field(20, 7)
    total = _node("ReduceSum", "mask", "logits", axes)
    inputs = [_field(11, _tensor(name, 7)) for name in INPUTS[:2]]
    graph = [_field(1, cast), _field(1, total), _field(2, b"tiny"), *inputs]
    model = [_field(1, 6), _field(7, b"".join([*graph, _field(12, _tensor("logits", 1))]))]
    opset = _field(8, _field(1, b"") + _field(2, 11))
    (folder / "onnx" / "model.onnx").write_bytes(b"".join([*model, opset]))
    return folder


def _node(kind: str, given: str, made: str, attribute: bytes) -> bytes:
    names = _field(1, given.encode()) + _field(2, made.encode())
    return names + _field(4, kind.encode()) + _field(5, attribute)


def _tensor(name: str, element: int) -> bytes:
    """A tensor of two dimensions of any size."""
    sizes = b"".join(_field(1, _field(2, size)) for size in (b"batch", b"length"))
    kind = _field(1, _field(1, element) + _field(2, sizes))
    return _field(1, name.encode()) + _field(2, kind)


def _field(number: int, value: int | bytes) -> bytes:
    """A field of Protocol Buffers, with a number or bytes of fewer than 16,384."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128, value >> 7])

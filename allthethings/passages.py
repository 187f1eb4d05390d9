"""Cut a text into passages that the embedding model reads whole.

all-mpnet-base-v2 reads 384 word pieces, two of them its own marks, and drops the rest without
a word. A passage is made of whole sentences, and says where in the thing it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from sentencex import segment

MODEL_LIMIT = 384 - 2
ENOUGH = 200
"""A passage of this many word pieces ends with its sentence: long enough to carry its context,
short enough that its vector still stands for one subject."""
TOO_SHORT = 48
"""A paragraph shorter than this shares a passage with the next one."""

CountTokens = Callable[[Sequence[str]], Sequence[int]]
"""How many word pieces each text takes, without the model's own marks."""


@dataclass(frozen=True)
class Piece:
    """A part of a thing as its processor found it: a paragraph, or a spoken segment.

    `locator` is {"heading": str} or {"start": seconds, "end": seconds} or empty.
    """

    text: str
    locator: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Passage:
    """One searchable part; `position` counts from 0 in reading order."""

    position: int
    text: str
    locator: Mapping[str, Any]


@dataclass(frozen=True)
class _Sentence:
    text: str
    tokens: int
    locator: Mapping[str, Any]
    ends_piece: bool


def cut(pieces: Iterable[Piece], count_tokens: CountTokens) -> list[Passage]:
    """Passages of at most 382 word pieces, in order; pieces with no words give none."""
    groups = _group(_sentences(pieces, count_tokens))
    return [
        Passage(
            position,
            " ".join(sentence.text for sentence in group),
            _span([sentence.locator for sentence in group]),
        )
        for position, group in enumerate(groups)
    ]


def _group(sentences: Iterable[_Sentence]) -> Iterator[list[_Sentence]]:
    group: list[_Sentence] = []
    size = 0
    for sentence in sentences:
        elsewhere = group and group[-1].locator.get("heading") != sentence.locator.get("heading")
        if group and (size + sentence.tokens > MODEL_LIMIT or (elsewhere and size >= TOO_SHORT)):
            yield group
            group, size = [], 0
        group.append(sentence)
        size += sentence.tokens
        if size >= ENOUGH or (
            sentence.ends_piece and size >= TOO_SHORT and "start" not in sentence.locator
        ):
            yield group
            group, size = [], 0
    if group:
        yield group


def _span(locators: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = dict(locators[0])
    if "start" in first:
        first["end"] = max(locator.get("end", first["start"]) for locator in locators)
    return first


def _sentences(pieces: Iterable[Piece], count_tokens: CountTokens) -> Iterator[_Sentence]:
    for piece in pieces:
        texts = [" ".join(text.split()) for text in segment("en", piece.text)]
        texts = [text for text in texts if text]
        if not texts:
            continue
        fitting = [
            part
            for text, tokens in zip(texts, count_tokens(texts), strict=True)
            for part in _fitting(text, tokens, count_tokens)
        ]
        for number, (text, tokens) in enumerate(fitting, 1):
            yield _Sentence(text, tokens, piece.locator, ends_piece=number == len(fitting))


def _fitting(text: str, tokens: int, count_tokens: CountTokens) -> Iterator[tuple[str, int]]:
    """The text if the model can read it, else parts of it, cut between words where it has any."""
    if tokens <= MODEL_LIMIT:
        yield text, tokens
        return
    parts = list(_parts(text, ceil(len(text) / (tokens // MODEL_LIMIT + 1))))
    for part, size in zip(parts, count_tokens(parts), strict=True):
        yield from _fitting(part, size, count_tokens)


def _parts(text: str, length: int) -> Iterator[str]:
    """Parts of at most that many characters, none of them empty."""
    start = 0
    while len(text) - start > length:
        space = text.rfind(" ", start + 1, start + length + 1)
        end = space if space > 0 else start + length
        yield text[start:end]
        start = end + 1 if space > 0 else end
    if start < len(text):
        yield text[start:]

"""Cut a text into passages that the embedding model reads whole.

all-mpnet-base-v2 reads 384 word pieces, two of them its own marks, and silently drops the rest. A
passage is made of whole sentences, and its locator says where in the asset it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from allthethings.assets.locators import WHOLE, Locator
from allthethings.assets.places import Place
from allthethings.assets.sentences import starts

# Word pieces that the model reads of a text, besides its two marks.
MODEL_LIMIT = 384 - 2
# Word pieces. A paragraph with fewer shares a passage with the next one.
TOO_SHORT = 48
# Word pieces. A title with more is not put in front of passages.
MAX_TITLE_TOKENS = 48
# Characters that sentencex gets at a time: its time grows with the square of a text's length, and
# it holds the interpreter's lock.
SEGMENTED_AT_ONCE = 5_000

# How many word pieces each text has, without the model's own marks.
CountTokens = Callable[[Sequence[str]], Sequence[int]]


@dataclass(frozen=True)
class Piece:
    """A part of an asset as its processor found it: a paragraph, or a spoken segment."""

    text: str
    locator: Locator = WHOLE


@dataclass(frozen=True)
class Shape:
    """How texts are cut, as `make eval` compares it.

    A passage of `size` word pieces ends with its sentence: long enough to carry its context, short
    enough that its vector still stands for one subject. The model reads a passage with the title
    of its asset in front if `title`, and with the last `overlap` sentences before it.
    """

    size: int = 200
    overlap: int = 0
    title: bool = False


@dataclass(frozen=True)
class Passage:
    """One searchable part. `position` counts from 0 in reading order. `before` is text that only
    the model reads, in front of `text`. `places` tell where the parts of the text stand, if that
    says more than `locator`."""

    position: int
    text: str
    locator: Locator
    before: str = ""
    places: tuple[Place, ...] = ()


@dataclass(frozen=True)
class _Sentence:
    text: str  # with the space after it: joined, the sentences are the text
    tokens: int
    locator: Locator  # of its piece
    place: Locator  # its own
    ends_piece: bool


def cut(
    pieces: Iterable[Piece],
    count_tokens: CountTokens,
    shape: Shape | None = None,
    title: str | None = None,
) -> list[Passage]:
    """Passages of at most 382 word pieces, in order, with what stands before them; pieces with no
    words give none."""
    shape = shape or Shape()
    head, tokens_of_head = "", 0
    if shape.title and title:
        head, tokens_of_head = f"{title.rstrip('.')}.", count_tokens([title])[0] + 1
    if tokens_of_head > MAX_TITLE_TOKENS:
        head, tokens_of_head = "", 0
    limit = MODEL_LIMIT - tokens_of_head
    groups = list(_group(_sentences(pieces, count_tokens, limit), shape.size, limit))
    passages = []
    for position, group in enumerate(groups):
        room = limit - sum(sentence.tokens for sentence in group)
        last = _last(groups[position - 1], shape.overlap, room) if position else []
        locator = group[0].locator.through([sentence.locator for sentence in group[1:]])
        passages.append(
            Passage(
                position,
                "".join(sentence.text for sentence in group).strip(),
                locator,
                " ".join(filter(None, [head, *last])),
                _places(group, locator),
            )
        )
    return passages


def _places(group: Sequence[_Sentence], whole: Locator) -> tuple[Place, ...]:
    """Where the sentences of a passage stand; nothing if all of it stands at `whole`."""
    places: list[Place] = []
    at = 0
    for sentence in group:
        if not places or places[-1].locator != sentence.place:
            places.append(Place(at, sentence.place))
        at += len(sentence.text)
    return () if places == [Place(0, whole)] else tuple(places)


def _last(group: Sequence[_Sentence], number: int, room: int) -> list[str]:
    """The texts of the last `number` sentences, as many as fit into `room` word pieces."""
    texts: list[str] = []
    for sentence in reversed(group[len(group) - number :] if number else ()):
        room -= sentence.tokens
        if room < 0:
            break
        texts.insert(0, sentence.text.strip())
    return texts


def _group(sentences: Iterable[_Sentence], enough: int, limit: int) -> Iterator[list[_Sentence]]:
    group: list[_Sentence] = []
    size = 0
    for sentence in sentences:
        elsewhere = group and not group[-1].locator.reaches(sentence.locator)
        if group and (size + sentence.tokens > limit or (elsewhere and size >= TOO_SHORT)):
            yield group
            group, size = [], 0
        group.append(sentence)
        size += sentence.tokens
        if size >= enough or (
            sentence.ends_piece and size >= TOO_SHORT and not sentence.locator.runs_on
        ):
            yield group
            group, size = [], 0
    if group:
        yield group


def _sentences(
    pieces: Iterable[Piece], count_tokens: CountTokens, limit: int
) -> Iterator[_Sentence]:
    for piece in pieces:
        texts = _split(" ".join(piece.text.split()))
        if not texts:
            continue
        fitting = [
            part
            for text, tokens in zip(texts, count_tokens(texts), strict=True)
            for part in _fitting(text, tokens, count_tokens, limit)
        ]
        length, begin = sum(len(text) for text, _ in fitting), 0
        for text, tokens in fitting:
            end = begin + len(text)
            place = piece.locator.part(begin / length, end / length)
            yield _Sentence(text, tokens, piece.locator, place, ends_piece=end == length)
            begin = end


def _split(text: str) -> list[str]:
    """The sentences of a text with single spaces, and one behind the last."""
    begins, end = [0], 0
    while end < len(text):
        stop = min(len(text), end + SEGMENTED_AT_ONCE)
        found = list(starts(text, end, stop))
        if stop < len(text) and len(found) > 1:  # the last one may go on: it is looked at again
            stop = found.pop()
        elif stop < len(text):  # a sentence that is too long: it is cut between words
            stop = text.rfind(" ", end, stop) + 1 or stop
        begins += found
        end = stop
    bounds = [*begins[:1], *begins[2:], len(text)]
    sentences = [text[begin:after] for begin, after in pairwise(bounds)]
    return [*sentences[:-1], f"{sentences[-1]} "] if text else []


def _fitting(
    text: str, tokens: int, count_tokens: CountTokens, limit: int
) -> Iterator[tuple[str, int]]:
    """The text if the model can read it, else parts of it, cut between words where it has any."""
    if tokens <= limit:
        yield text, tokens
        return
    parts = list(_parts(text, ceil(len(text) / (tokens // limit + 1))))
    for part, size in zip(parts, count_tokens(parts), strict=True):
        yield from _fitting(part, size, count_tokens, limit)


def _parts(text: str, length: int) -> Iterator[str]:
    """Parts of at most that many characters, none of them empty."""
    start = 0
    while len(text) - start > length:
        space = text.rfind(" ", start + 1, start + length + 1)
        end = space if space > 0 else start + length
        end += space > 0
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]

"""What changed between two versions of a text, by passage. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any

# Passages on either side, besides those that both versions begin and end with, that are brought
# into one order. The time for it grows with the product of both numbers.
ORDERED = 2_000
# Steps of a comparison, about 10 ns each, as `steps` counts them. Where more are needed, as for a
# text that repeats one passage, the passages are not brought into one order either.
MAX_STEPS = 20_000_000
# Bytes of passages that a change keeps. Of further ones it keeps the number alone.
MAX_BYTES = 64_000
# Changed passages that a change keeps, however short they are.
MAX_PARTS = 400


class Did(StrEnum):
    """What became of passages."""

    KEPT = "kept"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True)
class Part:
    """Passages that were kept, `count` of them without their texts, or one that was removed or
    added."""

    did: Did
    text: str = ""
    count: int = 1


@dataclass(frozen=True)
class Diff:
    """A change of a text: how many passages were added, removed and kept, and in reading order as
    many of the changed ones as are stored. `left_out` is how many are not."""

    added: int
    removed: int
    kept: int
    parts: tuple[Part, ...] = ()
    left_out: int = 0

    def stored(self) -> dict[str, Any]:
        """The fields of a document."""
        parts = [[part.did.value, part.text or part.count] for part in self.parts]
        counts = {"added": self.added, "removed": self.removed, "kept": self.kept}
        return {**counts, "parts": parts, "left_out": self.left_out}


def read(document: Mapping[str, Any]) -> Diff:
    """The diff in a document's fields."""
    parts = tuple(
        Part(Did(did), count=it) if isinstance(it, int) else Part(Did(did), it)
        for did, it in document["parts"]
    )
    added, removed, kept = (document[name] for name in ("added", "removed", "kept"))
    return Diff(added, removed, kept, parts, document["left_out"])


def compare(old: Sequence[str], new: Sequence[str]) -> Diff:
    """The change from one version's passages to another's. Where both have very many that differ,
    or many that are the same, those that were removed come before those that were added."""
    every = list(_every_part(old, new))
    counts = Counter(dict.fromkeys(Did, 0))
    for part in every:
        counts[part.did] += part.count
    parts, left_out = _bounded(every)
    return Diff(counts[Did.ADDED], counts[Did.REMOVED], counts[Did.KEPT], parts, left_out)


def steps(old: Sequence[Hashable], new: Sequence[Hashable]) -> int:
    """How many steps difflib needs at most to compare two rows: for each item of the shorter one it
    may look at all pairs of equal items."""
    counts = Counter(new)
    pairs = sum(number * counts[item] for item, number in Counter(old).items())
    return pairs * min(len(old), len(new))


def _every_part(old: Sequence[str], new: Sequence[str]) -> Iterator[Part]:
    shorter = min(len(old), len(new))
    begin = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    ends = range(shorter - begin)
    end = next((at for at in ends if old[-1 - at] != new[-1 - at]), shorter - begin)
    yield from _kept(begin)
    middle_of_old, middle_of_new = old[begin : len(old) - end], new[begin : len(new) - end]
    longer = max(len(middle_of_old), len(middle_of_new))
    many = longer > ORDERED or steps(middle_of_old, middle_of_new) > MAX_STEPS
    yield from (_unordered if many else _ordered)(middle_of_old, middle_of_new)
    yield from _kept(end)


def _ordered(old: Sequence[str], new: Sequence[str]) -> Iterator[Part]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if tag == "equal":
            yield from _kept(old_to - old_from)
            continue
        yield from (Part(Did.REMOVED, text) for text in old[old_from:old_to])
        yield from (Part(Did.ADDED, text) for text in new[new_from:new_to])


def _unordered(old: Sequence[str], new: Sequence[str]) -> Iterator[Part]:
    gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
    yield from _kept(len(old) - gone.total())
    yield from (Part(Did.REMOVED, text) for text in gone.elements())
    yield from (Part(Did.ADDED, text) for text in come.elements())


def _kept(count: int) -> Iterator[Part]:
    if count:
        yield Part(Did.KEPT, count=count)


def _bounded(every: Sequence[Part]) -> tuple[tuple[Part, ...], int]:
    """The first parts that fit, and how many changed passages do not."""
    parts: list[Part] = []
    room, changed, left_out = MAX_BYTES, 0, 0
    for part in every:
        if part.did is not Did.KEPT:
            room -= len(part.text.encode(errors="surrogatepass"))
            changed += 1
            if room < 0 or changed > MAX_PARTS:
                left_out += 1
                continue
        if not left_out:
            parts.append(part)
    return tuple(parts), left_out

"""What changed within passages, by word. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

from allthethings.assets.diffs import Did, Part, steps
from allthethings.assets.texts import ALONE

# The share of words, 0 to 1, that two passages have in common if one was made from the other.
ALIKE = 0.5
# Added passages that are compared with a removed one.
COMPARED = 4
# Words of a passage that are compared.
MAX_WORDS = 600
# Steps of all comparisons of a change, about 10 ns each, as `steps` counts them: a passage that
# repeats a word needs the cube of its words.
MAX_STEPS = 20_000_000
# Words around a change that are shown; of more, the others are left out.
CONTEXT = 12
# A word with the space behind it.
_WORD = re.compile(rf"(?:[{ALONE}]|(?:(?![{ALONE}])\S)+)\s*")


@dataclass(frozen=True)
class Piece:
    """Some words of a passage, with the spaces between them."""

    did: Did
    text: str


@dataclass(frozen=True)
class Edit:
    """A passage that was changed in some of its words, which are shown with those around them."""

    pieces: tuple[Piece, ...]


def edited(parts: Sequence[Part]) -> list[Part | Edit]:
    """The parts of a change, in order. A removed passage and an added one that are alike are one
    that was edited, as far as MAX_STEPS suffice."""
    found: list[Part | Edit] = []
    effort = _Effort()
    for kept, group in groupby(parts, lambda part: part.did is Did.KEPT):
        some = list(group)
        found += some if kept else _paired(some, effort)
    return found


def compare(old: str, new: str) -> Edit | None:
    """How one text became the other; None if they have too little in common, or it would need more
    than MAX_STEPS."""
    return _compared(old, new, _Effort())


@dataclass
class _Effort:
    """The steps that are left for comparisons."""

    left: int = MAX_STEPS

    def covers(self, needed: int) -> bool:
        """Take so many, if there are."""
        enough = needed <= self.left
        self.left -= needed * enough
        return enough


def _compared(old: str, new: str, effort: _Effort) -> Edit | None:
    before, after = _words(old), _words(new)
    if max(len(before), len(after)) > MAX_WORDS or not _alike(before, after):
        return None
    if not effort.covers(steps(_bare(before), _bare(after))):
        return None
    return Edit(tuple(_pieces(before, after)))


def _paired(parts: Sequence[Part], effort: _Effort) -> Iterator[Part | Edit]:
    """Passages that were removed and added in one place."""
    added = [part for part in parts if part.did is Did.ADDED]
    for removed in (part for part in parts if part.did is Did.REMOVED):
        for number, candidate in enumerate(added[:COMPARED]):
            if edit := _compared(removed.text, candidate.text, effort):
                yield from added[:number]
                yield edit
                added = added[number + 1 :]
                break
        else:
            yield removed
    yield from added


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _bare(words: Sequence[str]) -> list[str]:
    return [word.strip() for word in words]


def _alike(before: Sequence[str], after: Sequence[str]) -> bool:
    common = Counter(_bare(before)) & Counter(_bare(after))
    return 2 * common.total() >= ALIKE * (len(before) + len(after)) > 0


def _pieces(before: Sequence[str], after: Sequence[str]) -> Iterator[Piece]:
    matcher = SequenceMatcher(None, _bare(before), _bare(after), autojunk=False)
    for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if tag == "equal":
            behind, ahead = (
                new_from > 0 or old_from > 0,
                new_to < len(after) or old_to < len(before),
            )
            yield Piece(Did.KEPT, _around(after[new_from:new_to], behind=behind, ahead=ahead))
            continue
        if old_from < old_to:
            yield Piece(Did.REMOVED, "".join(before[old_from:old_to]))
        if new_from < new_to:
            yield Piece(Did.ADDED, "".join(after[new_from:new_to]))


def _around(words: Sequence[str], *, behind: bool, ahead: bool) -> str:
    """The words that are next to a change `behind` or `ahead` of them."""
    first, last = CONTEXT * behind, CONTEXT * ahead
    if len(words) <= first + last:
        return "".join(words)
    return "".join([*words[:first], "… ", *words[len(words) - last :]])

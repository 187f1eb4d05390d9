"""The text of a thing as its page shows it, with the places that a query finds in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from allthethings.assets.asset import Asset
from allthethings.assets.locators import Locator
from allthethings.assets.places import Place, sections
from allthethings.assets.sentences import Span
from allthethings.assets.transcripts import Group
from allthethings.errors import BadInput
from allthethings.processors import kinds
from allthethings.search.query_vectors import check_length
from allthethings.search.sentences import Asked, Reading, asked
from allthethings.search.syntax import parse
from allthethings.search.within import matching
from allthethings.web.result_views import READABLE, Stretch, link_to, stretches

Stretches = Sequence[Stretch]

# Passages that a page shows at once. A text with half as many more is shown whole.
PART = 200


@dataclass(frozen=True)
class Section:
    """A part of a passage that stands at one place, such as under one heading. `begins` tells
    whether the text before it stands elsewhere; `link` leads to it in the original."""

    locator: Locator
    begins: bool
    link: str
    stretches: Stretches


@dataclass(frozen=True)
class Paragraph:
    """A passage as the page shows it."""

    position: int
    sections: Sequence[Section]


@dataclass(frozen=True)
class SpokenLine:
    """A line of a recording, in seconds from its beginning."""

    start: float
    end: float
    stretches: Stretches


@dataclass(frozen=True)
class SpokenGroup:
    """As a Group of a transcript."""

    positions: tuple[int, ...]
    lines: Sequence[SpokenLine]


@dataclass(frozen=True)
class FoundHere:
    """What `query` finds in a text: the positions of the passages, in order. `at` is the one that
    the page was opened at, if it is one of them. `problem` says why the query cannot be read."""

    query: str
    positions: tuple[int, ...] = ()
    at: int | None = None
    problem: str = ""

    @property
    def number(self) -> int:
        """The number of the present place, counted from 1; 0 if the page was opened at none."""
        return 0 if self.at is None else self.positions.index(self.at) + 1

    @property
    def previous(self) -> int:
        """The position before the present one; of the first one, the last."""
        return self.positions[self.number - 2 if self.number else -1]

    @property
    def next(self) -> int:
        """The position behind the present one; of the last one, the first."""
        return self.positions[self.number % len(self.positions)]


@dataclass(frozen=True)
class TextView:
    """The text of a recording in `groups`, all of it; of any other a part in `paragraphs`, out of
    `total` passages. `found` is what a query finds in the whole text, if one was given."""

    paragraphs: Sequence[Paragraph] = ()
    groups: Sequence[SpokenGroup] = ()
    found: FoundHere | None = None
    total: int = 0

    def __bool__(self) -> bool:
        return bool(self.paragraphs or self.groups)

    @property
    def earlier(self) -> int | None:
        """The position of the passage before this part, if there is one."""
        first = self.paragraphs[0].position if self.paragraphs else 0
        return first - 1 if first else None

    @property
    def later(self) -> int | None:
        """The position of the passage behind this part, if there is one."""
        last = self.paragraphs[-1].position if self.paragraphs else self.total
        return last + 1 if last + 1 < self.total else None


@dataclass(frozen=True)
class _Block:
    """Texts that are one block: the sections of a passage with its `places`, or the lines of a
    group."""

    positions: Sequence[int]
    texts: Sequence[str]
    places: Sequence[Place] = ()

    @cached_property
    def text(self) -> str:
        return " ".join(self.texts)

    def shown(self, wanted: Asked | None) -> list[Stretches]:
        """What is shown of each text, marked if it was asked for."""
        if wanted is None:
            return [[Stretch([(text, False)])] for text in self.texts]
        reading = Reading(self.text, wanted, (), self.places)
        return [stretches(reading, reading.best, span) for span in self._spans]

    @property
    def _spans(self) -> Iterator[Span]:
        begin = 0
        for text in self.texts:
            yield Span(begin, begin + len(text))
            begin += len(text) + 1


def part_around(position: int, total: int) -> range:
    """The part of so many passages that is shown with this one in its middle."""
    if total <= PART * 3 // 2:
        return range(total)
    first = max(0, min(position - PART // 2, total - PART))
    return range(first, first + PART)


def view_of(
    thing: Asset,
    rows: Sequence[Mapping[str, Any]],
    groups: Sequence[Group],
    query: str = "",
    at: int | None = None,
    around: int = 0,
) -> TextView:
    """The text of a thing with these passages, or of a recording with these groups of lines, as
    `query` reads it on a page opened at the passage `at`. Without `at` the part around the passage
    `around` is shown."""
    if groups:
        blocks = [_Block(group.positions, [line.text for line in group.lines]) for group in groups]
    else:
        blocks = [
            _Block(
                [row["position"]],
                [text for text, _ in sections_of(row)],
                row.get("places", ()),
            )
            for row in rows
        ]
    found, wanted = _find(thing, blocks, query, at)
    hits = frozenset(found.positions) if found else frozenset()
    part = range(len(groups)) if groups else part_around(around if at is None else at, len(rows))
    shown = [
        block.shown(wanted if hits.intersection(block.positions) else None)
        for block in blocks[part.start : part.stop]
    ]
    if groups:
        return TextView(groups=list(map(_spoken, groups, shown)), found=found)
    paragraphs = _paragraphs(thing, rows[part.start : part.stop], shown)
    return TextView(list(paragraphs), (), found, len(rows))


def sections_of(row: Mapping[str, Any]) -> Sequence[tuple[str, Locator]]:
    """The sections of a passage, each with its place."""
    return list(sections(row["text"], row.get("places", ()), row["locator"]))


def _find(
    thing: Asset, blocks: Sequence[_Block], query: str, at: int | None
) -> tuple[FoundHere | None, Asked | None]:
    """What the query finds, and what it asks for. Only words are looked at: a page does not wait
    for a model. The passage that a search has led to counts in any case."""
    if not query or not blocks:
        return None, None
    try:
        parsed = parse(query, {}, kinds())
        check_length(parsed.text)
    except BadInput as error:
        return FoundHere(query, problem=str(error)), None
    wanted = asked(parsed.text, parsed.phrases, thing.language)
    with_anchor = [block for block in blocks if block.positions]
    opened = next((block.positions[0] for block in with_anchor if at in block.positions), None)
    matches = matching(wanted, [block.text for block in with_anchor]) if parsed.text else []
    positions = {with_anchor[number].positions[0] for number in matches}
    if opened is not None:
        positions.add(opened)
    return FoundHere(query, tuple(sorted(positions)), opened), wanted


def _paragraphs(
    thing: Asset, rows: Sequence[Mapping[str, Any]], shown: Sequence[Sequence[Stretches]]
) -> Iterator[Paragraph]:
    readable = thing.content_type.startswith(READABLE)
    before: Locator | None = None
    for row, parts in zip(rows, shown, strict=True):
        found = []
        for (text, place), part in zip(sections_of(row), parts, strict=True):
            link = link_to(thing, place, text if readable else "")
            found.append(Section(place, place != before, link, part))
            before = place
        yield Paragraph(row["position"], found)


def _spoken(group: Group, shown: Sequence[Stretches]) -> SpokenGroup:
    lines = [
        SpokenLine(line.start, line.end, each)
        for line, each in zip(group.lines, shown, strict=True)
    ]
    return SpokenGroup(group.positions, lines)

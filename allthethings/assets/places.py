"""Where each part of a passage stands: at its second, on its page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from allthethings.assets import locators
from allthethings.assets.locators import WHOLE, Locator, TimeSpan
from allthethings.assets.sentences import Span

# Seconds of a spoken sentence. A longer one is mostly several, between which a model has left out
# the full stops.
MAX_SECONDS = 20.0


@dataclass(frozen=True)
class Place:
    """From character `at` of a passage to the next place, or to its end, the text stands there."""

    at: int
    locator: Locator


def locate(part: Span, length: int, places: Sequence[Place], whole: Locator) -> Locator:
    """The place of a part of a passage of this many characters, which stands at `whole`. Within
    one place, time passes evenly from character to character."""
    places = places or [Place(0, whole)]
    ends = [*(place.at - 1 for place in places[1:]), length]  # a space is between two places
    found = []
    for place, end in zip(places, ends, strict=True):
        first, last = max(part.start, place.at) - place.at, min(part.end, end) - place.at
        if first < last:
            size = end - place.at
            found.append(place.locator.part(first / size, last / size))
    return found[0].through(found[1:]) if found else whole


def shortened(text: str, sentence: Span, places: Sequence[Place]) -> Iterator[Span]:
    """A sentence of a passage, or parts of it that last MAX_SECONDS at most: one that lasts longer
    is cut where a place begins, as near its middle as may be."""
    within = {
        place.at: place.locator.start
        for place in places
        if sentence.start < place.at < sentence.end and isinstance(place.locator, TimeSpan)
    }
    spoken = locate(sentence, len(text), places, WHOLE) if within else WHOLE
    if not (isinstance(spoken, TimeSpan) and spoken.end - spoken.start > MAX_SECONDS):
        yield sentence
        return
    middle = (spoken.start + spoken.end) / 2
    cut = min(within, key=lambda at: abs(within[at] - middle))
    yield from shortened(text, Span(sentence.start, len(text[:cut].rstrip())), places)
    yield from shortened(text, Span(cut, sentence.end), places)


def breaks(places: Sequence[Place]) -> tuple[int, ...]:
    """The characters of a passage at which a sentence ends in any case: what follows stands where
    the text before does not reach, such as under another heading."""
    return tuple(
        place.at for before, place in pairwise(places) if not before.locator.reaches(place.locator)
    )


def sections(text: str, places: Sequence[Place], whole: Locator) -> Iterator[tuple[str, Locator]]:
    """The text of a passage, which stands at `whole`, divided at its breaks; each part with its
    place."""
    bounds = [0, *breaks(places), len(text)]
    if len(bounds) == 2:
        yield text, whole
        return
    for begin, end in pairwise(bounds):
        place = locate(Span(begin, end), len(text), places, whole)
        yield text[begin:end].strip(), place


def stored(places: Iterable[Place]) -> list[list[object]]:
    """The places as they are kept with a passage."""
    return [[place.at, place.locator.stored()] for place in places]


def read(rows: Iterable[Sequence[object]]) -> tuple[Place, ...]:
    """The places that `stored` gave."""
    return tuple(Place(at, locators.read(row)) for at, row in rows)  # type: ignore[arg-type]

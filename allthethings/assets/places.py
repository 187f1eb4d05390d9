"""Where each part of a passage stands: at its second, on its page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from allthethings.assets import locators
from allthethings.assets.locators import Locator
from allthethings.assets.sentences import Span


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


def stored(places: Iterable[Place]) -> list[list[object]]:
    """The places as they are kept with a passage."""
    return [[place.at, place.locator.stored()] for place in places]


def read(rows: Iterable[Sequence[object]]) -> tuple[Place, ...]:
    """The places that `stored` gave."""
    return tuple(Place(at, locators.read(row)) for at, row in rows)  # type: ignore[arg-type]

"""Things to submit, as many as one likes; they are on the site already."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import count
from typing import Any

from tests.faults.things import Thing, make_thing, recording
from tools.harness.site import Site

# Paragraphs of a long thing: more passages than one embedding request holds.
LONG = 40
MIXTURE: tuple[tuple[int, dict[str, Any]], ...] = (  # of a hundred
    (4, {"audio": True, "end": "fail"}),
    (4, {"audio": True, "end": "null"}),
    (4, {"end": "vectors:fail"}),
    (8, {"paragraphs": LONG}),
    (10, {"end": "vectors:slow"}),
    (10, {"audio": True, "seconds": 1.0}),
    (30, {"audio": True}),
    (30, {}),
)
REASONS = {
    "fail": "told to fail",
    "null": "without a transcription",
    "vectors:fail": "told to fail",
}


@dataclass(frozen=True)
class Stocked:
    """A thing and its address. `error` is a part of the reason when it fails."""

    url: str
    thing: Thing

    @property
    def end(self) -> str:
        """The status that it comes to; `vectors:slow` and `vectors:wait` are ends of no kind."""
        return (self.thing.fails_as or "SEARCHABLE") if self.error else "SEARCHABLE"

    @property
    def error(self) -> str:
        return REASONS.get(self.thing.end, "")


class Stock:
    """Makes things and puts them on the site. Serves any number of threads."""

    def __init__(self, site: Site, name: str) -> None:
        self._site = site
        self._name = name
        self._numbers = count(1)

    def next(self) -> Stocked:
        """One of the mixture."""
        number = next(self._numbers)
        draw = random.Random(f"{self._name} {number}")
        kinds, weights = [kind for _, kind in MIXTURE], [weight for weight, _ in MIXTURE]
        return self._make(number, **draw.choices(kinds, weights)[0])

    def make(
        self, *, audio: bool = False, end: str = "text", seconds: float = 0.0, paragraphs: int = 3
    ) -> Stocked:
        """One that is as told."""
        return self._make(next(self._numbers), audio, end, seconds, paragraphs)

    def _make(
        self,
        number: int,
        audio: bool = False,
        end: str = "text",
        seconds: float = 0.0,
        paragraphs: int = 3,
    ) -> Stocked:
        draw = random.Random(f"{self._name} {number}")
        name = f"{self._name}-{number}"
        thing = make_thing(name, draw, audio=audio, end=end, paragraphs=paragraphs)
        page = thing.page()
        if seconds:
            page = recording("\n".join(thing.paragraphs), end, seconds)
        return Stocked(self._site.add(thing.path, page), thing)

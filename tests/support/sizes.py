"""How much of everything the fault tests do: a little, or with SOAK=full very much.

With a number, as SOAK=20, all faults together go on for so many minutes, and the rest is short.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Sizes:
    """How much of everything. `reconcile_after` is in seconds, `retry_after`, of the gateway, in
    milliseconds; after `faulty_attempts` the line lets a delivery through. `minutes_of_trouble` is
    how long all faults together go on."""

    things: int
    seeds: int
    faulty_attempts: int
    crowd_rounds: int
    fuzz_bodies: int
    fuzz_pages: int
    kills: int
    kills_at_a_point: int
    outages: int
    minutes_of_trouble: float
    reconcile_after: int
    retry_after: int


SHORT = Sizes(
    things=40,
    seeds=1,
    faulty_attempts=1,
    crowd_rounds=3,
    fuzz_bodies=300,
    fuzz_pages=100,
    kills=6,
    kills_at_a_point=1,
    outages=1,
    minutes_of_trouble=1.0,
    reconcile_after=5,
    retry_after=2_000,
)
FULL = Sizes(
    things=1_000,
    seeds=3,
    faulty_attempts=3,
    crowd_rounds=100,
    fuzz_bodies=10_000,
    fuzz_pages=2_000,
    kills=200,
    kills_at_a_point=20,
    outages=5,
    minutes_of_trouble=60.0,
    reconcile_after=30,
    retry_after=30_000,
)
_SOAK = os.environ.get("SOAK") or str(SHORT.minutes_of_trouble)
SIZES = FULL if _SOAK == "full" else replace(SHORT, minutes_of_trouble=float(_SOAK))

"""When is it low water? A sketch for a harbour that has no table of its own.

The moon pulls the sea into two bulges, and the harbour turns through both of them in the course of
a lunar day, which is fifty minutes longer than ours. So there are two highs and two lows, each
twelve hours and twenty-five minutes after the last. The sun pulls as well, though only half as
hard. Around new and full moon both pull along one line, and we get springs; when they pull at
right angles, we get neaps.

Real tables add up dozens of such terms. Two of them get you within half an hour of the truth in
most places, which is enough to decide when to walk out to the mussels.
"""

from __future__ import annotations

from math import cos, pi

# Hours from one high water to the next, as far as the moon and the sun are concerned.
MOON, SUN = 12.4206, 12.0

# Metres by which each of them lifts the water here. Measure yours with a marked pole: note the
# highest and lowest mark for a fortnight, and solve for both.
MOON_LIFT, SUN_LIFT = 1.62, 0.55

# Hours by which the bulge arrives late, held up by the shallow shelf before the coast.
DELAY = 2.3


def height(hours: float) -> float:
    """Metres above the mean level, so many hours after a new moon stood over the harbour."""
    moon = MOON_LIFT * cos(2 * pi * (hours - DELAY) / MOON)
    sun = SUN_LIFT * cos(2 * pi * (hours - DELAY) / SUN)
    return moon + sun


def low_waters(first: float, last: float, step: float = 0.1) -> list[float]:
    """The moments between two others at which the water turns and begins to rise.

    It looks at every tenth of an hour. A barometer that falls by a hectopascal lets the sea rise
    by a centimetre, and an onshore wind piles up more than that: do not trust the last decimal.
    """
    times = [first + step * number for number in range(int((last - first) / step))]
    return [
        now
        for before, now, after in zip(times, times[1:], times[2:], strict=False)
        if height(before) > height(now) <= height(after)
    ]


if __name__ == "__main__":
    for moment in low_waters(0.0, 48.0):
        print(f"{moment:5.1f} h   {height(moment):+.2f} m")

"""When a failed step is tried again without anybody's help, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

# The wait before each further attempt. They outlast a restart, a deployment and a short outage of
# the asset's server.
INTERVALS: Sequence[timedelta] = (
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=8),
    timedelta(minutes=30),
)
# The most attempts at one stage, the first one included.
MAX_ATTEMPTS = len(INTERVALS) + 1
# How long an asset waits for a service of the app's own, such as Replicate, before it fails.
OUTAGE_LIMIT = timedelta(days=1)


def wait_after(attempt: int, intervals: Sequence[timedelta]) -> timedelta | None:
    """The wait after a failed attempt, counted from 1; None if it was the last one."""
    return intervals[attempt - 1] if attempt <= len(intervals) else None

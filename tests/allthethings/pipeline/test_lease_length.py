"""A lease outlasts the longest step between two renewals."""

from __future__ import annotations

from allthethings.processors import sandbox
from allthethings.sources.fetch import DOWNLOAD
from allthethings.store.leases import LEASE


def test_a_lease_outlasts_a_download_with_its_parse() -> None:
    assert LEASE.total_seconds() > 1.5 * (DOWNLOAD.deadline + sandbox.WALL_SECONDS)

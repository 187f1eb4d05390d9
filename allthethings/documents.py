"""What both collections share: the clock, and what to make of a database that is away."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pymongo.errors import (
    ConnectionFailure,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    WTimeoutError,
)

from allthethings.errors import ServiceUnavailable

Document = dict[str, Any]


def now() -> datetime:
    """The time as MongoDB keeps it: UTC, in whole milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@contextlib.contextmanager
def available() -> Iterator[None]:
    """Translate 'the database is away' into ServiceUnavailable; other errors pass."""
    try:
        yield
    except (ConnectionFailure, NetworkTimeout, ExecutionTimeout, WTimeoutError) as error:
        raise ServiceUnavailable("MongoDB", "no answer from the server") from error
    except OperationFailure as error:
        if error.has_error_label("RetryableWriteError"):
            raise ServiceUnavailable("MongoDB", "the server is changing over") from error
        raise

"""What both collections share: the clock, and what to make of a database that is away."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pymongo.errors import (
    CollectionInvalid,
    ConnectionFailure,
    DuplicateKeyError,
    PyMongoError,
)

from allthethings.errors import ErrorCode, ServiceUnavailable

log = logging.getLogger(__name__)

Document = dict[str, Any]

SERVICE = "MongoDB"
# MongoDB's code for a full disk, OutOfDiskSpace.
OUT_OF_DISK_SPACE = 14031
# A full database in the words of Atlas, of the operating system, and of WiredTiger, which
# panics when it cannot write.
_FULL = re.compile(r"over your space quota|No space left on device|WT_PANIC")


def now() -> datetime:
    """The time as MongoDB keeps it: UTC, in whole milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@contextlib.contextmanager
def available() -> Iterator[None]:
    """Translate the driver's errors into ServiceUnavailable.

    A server that is away, that is changing over or that refuses a command is the operator's to
    mend, and trying again can help. What a unique index or an existing collection refuses is
    an answer, and passes.
    """
    try:
        yield
    except (DuplicateKeyError, CollectionInvalid):
        raise
    except ConnectionFailure as error:
        raise ServiceUnavailable(
            SERVICE, "no answer from the server", ErrorCode.DATABASE_UNAVAILABLE
        ) from error
    except PyMongoError as error:
        log.warning("MongoDB: %s", str(error).partition(", full error")[0])
        raise refusal(error) from error


def refusal(error: PyMongoError) -> ServiceUnavailable:
    """The error for a command that the server refused."""
    if getattr(error, "code", None) == OUT_OF_DISK_SPACE or _FULL.search(str(error)):
        reason = "its disk or its quota is full, or its storage has failed"
        return ServiceUnavailable(SERVICE, reason, ErrorCode.DATABASE_FULL)
    return ServiceUnavailable(
        SERVICE, "the server refused a command", ErrorCode.DATABASE_UNAVAILABLE
    )

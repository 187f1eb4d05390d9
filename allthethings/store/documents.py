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
    DocumentTooLarge,
    DuplicateKeyError,
    PyMongoError,
)

from allthethings.errors import ErrorCode, ServiceUnavailable, UnusableThing

log = logging.getLogger(__name__)

Document = dict[str, Any]

SERVICE = "MongoDB"
# MongoDB's code for a full disk, OutOfDiskSpace.
OUT_OF_DISK_SPACE = 14031
# MongoDB's codes for a document over 16 MiB: BSONObjectTooLarge, and those of an update and of an
# upsert that would make one.
OBJECT_TOO_LARGE = frozenset({10334, 17419, 17420})
# A full database in the words of Atlas and of the operating system.
_FULL = re.compile(r"over your space quota|No space left on device")
# How Atlas refuses to search an index that it has yet to build.
_BUILDS = re.compile(r"cannot query (?:search|vector) index .* while in state")


def now() -> datetime:
    """The time as MongoDB keeps it: UTC, in whole milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@contextlib.contextmanager
def available() -> Iterator[None]:
    """Translate the driver's errors into ServiceUnavailable, or into UnusableThing for a document
    over MongoDB's 16 MiB, which no other attempt makes smaller.

    A server that is away, that is changing over or that refuses a command is the operator's to
    mend, and trying again can help. What a unique index or an existing collection refuses is
    an answer, and passes.
    """
    try:
        yield
    except (DuplicateKeyError, CollectionInvalid):
        raise
    except DocumentTooLarge as error:  # no PyMongoError: the driver itself refuses it
        raise too_large() from error
    except ConnectionFailure as error:
        raise ServiceUnavailable(
            SERVICE, "no answer from the server", ErrorCode.DATABASE_UNAVAILABLE
        ) from error
    except PyMongoError as error:
        log.warning("MongoDB: %s", str(error).partition(", full error")[0])
        if getattr(error, "code", None) in OBJECT_TOO_LARGE:
            raise too_large() from error
        raise refusal(error) from error


def too_large() -> UnusableThing:
    """The error for a document that would be larger than MongoDB takes."""
    return UnusableThing("Its text is too long to be stored.", ErrorCode.TEXT_TOO_LONG)


def refusal(error: PyMongoError) -> ServiceUnavailable:
    """The error for a command that the server refused."""
    if getattr(error, "code", None) == OUT_OF_DISK_SPACE or _FULL.search(str(error)):
        reason = "its disk or its quota is full"
        return ServiceUnavailable(SERVICE, reason, ErrorCode.DATABASE_FULL)
    if _BUILDS.search(str(error)):
        reason = "its search index is being built"
        return ServiceUnavailable(SERVICE, reason, ErrorCode.DATABASE_UNAVAILABLE)
    return ServiceUnavailable(
        SERVICE, "the server refused a command", ErrorCode.DATABASE_UNAVAILABLE
    )

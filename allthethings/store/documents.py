"""What both collections share: the clock, and what to make of a database that is away."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pymongo.errors import (
    CollectionInvalid,
    ConnectionFailure,
    DuplicateKeyError,
    PyMongoError,
)

from allthethings.errors import ServiceUnavailable

log = logging.getLogger(__name__)

Document = dict[str, Any]


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
        raise ServiceUnavailable("MongoDB", "no answer from the server") from error
    except PyMongoError as error:
        log.warning("MongoDB: %s", str(error).partition(", full error")[0])
        raise ServiceUnavailable("MongoDB", "the server refused a command") from error

"""Reads the lists that strangers made in a process of its own."""

from __future__ import annotations

from allthethings.errors import BadInput, ServiceUnavailable
from allthethings.processors.sandbox import Crashed, Starved, run_within
from allthethings.sources import lists
from allthethings.sources.lists import Listed

# CPU seconds to read a file.
FILE_SECONDS = 10


def listed_in(file: bytes) -> Listed:
    """The URLs in a file. Raises BadInput, ServiceUnavailable."""
    try:
        return run_within(FILE_SECONDS, lists.listed_in, file)
    except Starved as error:
        raise ServiceUnavailable("The file reader", "this machine is too busy") from error
    except (TimeoutError, MemoryError, ChildProcessError, Crashed) as error:
        raise BadInput("This file is too complex to read.") from error

"""What the reconciler takes up later."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from allthethings.errors import ServiceUnavailable

log = logging.getLogger(__name__)


@contextlib.contextmanager
def if_available(asset_id: str) -> Iterator[None]:
    """A step that ends early when a service is away: the reconciler takes it up again."""
    try:
        yield
    except ServiceUnavailable as error:
        log.warning("asset %s waits: %s", asset_id, error)

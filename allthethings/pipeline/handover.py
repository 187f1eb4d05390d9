"""Steps that would keep an answer waiting are handed over, with the lease of their asset.

The asset is stored first, so the caller can answer at once. Whatever becomes of the step, nothing
is lost: when the lease ends, the reconciler takes the asset up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from allthethings.assets.asset import Asset
from allthethings.pipeline.later import if_available
from allthethings.pipeline.turns import Turns
from allthethings.store.leases import Leases

log = logging.getLogger(__name__)

Step = Callable[[], None]
# Does a step, or calls the second one, which leaves it to others.
Way = Callable[[Step, Step], None]

# Steps under way at a time in one process. They wait for Replicate most of the time.
THREADS = 8


def at_once(step: Step, leave: Step) -> None:
    """Does the step at once: for callers that nobody waits for."""
    del leave
    step()


def to_the_worker(step: Step, leave: Step) -> None:
    """The way of a process that serves while workers run elsewhere."""
    del step
    leave()


class Aside:
    """The way of a process that goes on by itself: in threads, which end with it."""

    def __init__(self) -> None:
        self._turns = Turns(THREADS, spare=0)

    def __call__(self, step: Step, leave: Step) -> None:
        del leave
        self._turns.submit(step, "", partial(_logged, step))

    @property
    def busy(self) -> bool:
        """Whether steps are under way, or wait for a thread."""
        return self._turns.busy

    def stop(self) -> None:
        """Begin nothing more."""
        self._turns.stop()


def _logged(step: Step) -> None:
    try:
        step()
    except Exception:
        log.exception("a step that was handed over failed")


class Handover:
    """Hands over assets that are leased to the caller."""

    def __init__(self, leases: Leases, way: Way) -> None:
        self._leases = leases
        self._way = way

    def __call__(self, asset: Asset, step: Callable[[Asset], None]) -> None:
        """Have the step done, which holds the lease from now on. A service that is away leaves the
        asset to the reconciler."""
        self._way(partial(self._go_on, asset, step), partial(self._leave, asset))

    def _go_on(self, asset: Asset, step: Callable[[Asset], None]) -> None:
        with if_available(asset.id):
            # It may have waited for its turn for longer than a lease.
            if self._leases.hold(asset):
                step(asset)

    def _leave(self, asset: Asset) -> None:
        with if_available(asset.id):
            self._leases.give_back(asset)

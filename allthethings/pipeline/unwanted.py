"""Predictions whose results are not wanted any more, and files that no prediction needs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from allthethings.errors import IndexingError, ServiceUnavailable
from allthethings.mongo import Stores
from allthethings.pipeline.handover import Way
from allthethings.replicate.client import ReplicateClient
from allthethings.store.unwanted import Unwanted, UnwantedStore

log = logging.getLogger(__name__)


class Cleanup:
    """Cancels and removes at Replicate whatever is noted as unwanted. A process has one, which
    takes up one of its threads at most, however often it is called."""

    def __init__(self, store: UnwantedStore, replicate: ReplicateClient, way: Way) -> None:
        self._store = store
        self._replicate = replicate
        self._way = way
        self._lock = threading.Lock()
        self._under_way = False
        # Whether it was called since the round under way has begun.
        self._once_more = False

    def __call__(self) -> None:
        """Cancel and remove it, or leave it to the worker."""
        with self._lock:
            self._once_more = self._under_way
            if self._under_way:
                return
            self._under_way = True
        self._way(self._work, self._end)

    def _work(self) -> None:
        try:
            self._round()
            while self._is_wanted_again():
                self._round()
        except BaseException:
            self._end()
            raise

    def _is_wanted_again(self) -> bool:
        """Whether there is to be another round. If not, the next call begins one."""
        with self._lock:
            self._under_way, self._once_more = self._once_more, False
            return self._under_way

    def _end(self) -> None:
        with self._lock:
            self._under_way = self._once_more = False

    def _round(self) -> None:
        try:
            self._store.expire()
            while found := self._store.claim():
                if not self._gone(*found):
                    return  # Replicate is away: the others would wait for its timeout too
                self._store.remove(found[1])
        except ServiceUnavailable as error:
            log.warning("what is to be cancelled waits: %s", error)

    def _gone(self, what: Unwanted, identity: str) -> bool:
        """Whether nothing more can be done about it now."""
        try:
            if what is Unwanted.PREDICTION:
                self._replicate.cancel(identity)
            else:
                self._replicate.remove(identity)
        except IndexingError as error:
            log.warning("%s %s is left at Replicate: %s", what, identity, error)
            return not error.retryable
        return True


class UnwantedPredictions:
    """Cancels predictions and forgets them. What is to be cancelled is stored, and handed over: a
    long thing has many predictions."""

    def __init__(self, database: Stores, clean_up: Cleanup) -> None:
        self._store = database.unwanted
        self._transitions = database.transitions
        self._passages = database.passages
        self._clean_up = clean_up

    def give_up(
        self, asset_id: str, prediction_ids: Iterable[str], found: Collection[str] = ()
    ) -> None:
        """Cancel predictions and ignore their results: those must neither end another try of the
        asset nor be waited for by it. As `cancel` for `found`."""
        ids = list(prediction_ids)
        with self.held(ids, found):
            self._transitions.give_up(asset_id, ids)
            self._passages.forget_requests(asset_id, ids)
            self.cancel(ids, found)

    @contextmanager
    def held(self, prediction_ids: Iterable[str], found: Collection[str] = ()) -> Iterator[None]:
        """For a block that changes an asset, and only then can cancel its predictions: their
        callbacks know no reason. If the block is interrupted, they are cancelled all the same; if
        it ends without cancelling them, they run on. As `cancel` for `found`."""
        ids = [each for each in prediction_ids if each not in found]
        if not ids:
            yield
            return
        token = self._store.hold(ids)
        yield
        self._store.release(ids, token)

    def cancel(self, prediction_ids: Iterable[str], found: Collection[str] = ()) -> None:
        """Have predictions cancelled at Replicate. One that cannot be cancelled does no harm; those
        in `found` may be another asset's, and run on. Raises ServiceUnavailable."""
        self._put(Unwanted.PREDICTION, [each for each in prediction_ids if each not in found])

    def remove_files(self, file_ids: Iterable[str]) -> None:
        """Have uploaded files removed at Replicate. As `cancel`."""
        self._put(Unwanted.FILE, list(file_ids))

    def _put(self, what: Unwanted, ids: list[str]) -> None:
        if ids:
            self._store.put(what, ids)
            self._clean_up()

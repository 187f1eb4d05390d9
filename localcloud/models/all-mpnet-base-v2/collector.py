"""Embeds the texts of several predictions in common batches."""

from __future__ import annotations

import asyncio
import threading
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field

import graph
import numpy as np
from batching import TOKEN_BUDGET
from embedder import Embedder, WordPieces
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class Collector:
    """A thread for each stream of the model takes a batch, runs it, and takes the next.

    A batch holds the text that is next in turn and those nearest to it in length, of whichever
    prediction they are. Texts are in turn as they came, urgent ones first.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._waiting: list[Text] = []  # the shortest first
        self._changed = threading.Condition()
        self._count = 0
        self._busy = 0  # threads that run a batch
        for stream in range(embedder.streams):
            threading.Thread(target=self._work, args=(stream,), daemon=True).start()

    async def embed(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        """One unit vector for each text, shape (len(texts), 768).

        Texts that still wait when the caller is cancelled are not embedded.
        """
        rows = await asyncio.to_thread(self._embedder.word_pieces, texts)
        call = _Call(len(rows))
        with self._changed:
            for number, row in enumerate(rows):
                self._count += 1
                turn = (not urgent, self._count)
                insort(self._waiting, Text(len(row), turn, row, number, call))
            self._changed.notify_all()
        try:
            return await call.done
        finally:
            with self._changed:
                self._waiting = [text for text in self._waiting if text.call is not call]

    def _work(self, stream: int) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._pays)
                batch = take(self._waiting)
                self._busy += 1
            try:
                vectors = self._embedder.infer([text.row for text in batch], stream)
            except Exception as error:  # noqa: BLE001 - each caller raises it
                for text in batch:
                    text.call.fail(error)
            else:
                for text, vector in zip(batch, vectors, strict=True):
                    text.call.put(text.number, vector)
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _pays(self) -> bool:
        """Whether a batch is worth its start. Small ones take more time for each token, so that
        few texts wait for those that run beside them, unless one is urgent."""
        if not self._waiting or not self._busy:
            return bool(self._waiting)
        tokens = sum(text.length for text in self._waiting)
        return tokens >= TOKEN_BUDGET // 2 or any(not text.turn[0] for text in self._waiting)


class _Call:
    """The vectors of one call, which arrive in any order."""

    def __init__(self, count: int) -> None:
        self._vectors = np.empty((count, graph.HIDDEN), dtype=np.float32)
        self._missing = count
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[Vectors] = self._loop.create_future()

    def put(self, number: int, vector: Vectors) -> None:
        with self._lock:
            self._vectors[number] = vector
            self._missing -= 1
            complete = not self._missing
        if complete:
            self._loop.call_soon_threadsafe(self._finish)

    def fail(self, error: Exception) -> None:
        self._loop.call_soon_threadsafe(self._finish, error)

    def _finish(self, error: Exception | None = None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(self._vectors)
        else:
            self.done.set_exception(error)


@dataclass(frozen=True, order=True)
class Text:
    """A text that waits. The one with the least `turn` is next."""

    length: int
    turn: tuple[bool, int]
    row: WordPieces = field(compare=False)
    number: int = field(compare=False)
    call: _Call = field(compare=False)


def take(waiting: list[Text], budget: int = TOKEN_BUDGET) -> list[Text]:
    """Remove a batch from the texts, which are sorted by length, and return it.

    It holds the next text in turn and those nearest to it in length: as many as the budget of
    tokens allows, padding included, none of them half as long as the longest.
    """
    first = min(range(len(waiting)), key=lambda index: waiting[index].turn)
    end = first + 1
    while ranges := [
        (start, stop)
        for start, stop in ((first - 1, end), (first, end + 1))
        if start >= 0 and stop <= len(waiting) and _fits(waiting, start, stop, budget)
    ]:
        first, end = min(ranges, key=lambda one: _padding(waiting, *one))
    batch = waiting[first:end]
    del waiting[first:end]
    return batch


def _fits(waiting: Sequence[Text], start: int, stop: int, budget: int) -> bool:
    longest = waiting[stop - 1].length
    return longest * (stop - start) <= budget and longest < 2 * waiting[start].length


def _padding(waiting: Sequence[Text], start: int, stop: int) -> int:
    longest = waiting[stop - 1].length
    return sum(longest - text.length for text in waiting[start:stop])

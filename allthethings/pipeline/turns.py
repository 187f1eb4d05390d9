"""Fair turns at a few threads, for the URLs of many requests and imports."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

# Jobs under way at a time. The spare ones are for who has none under way, such as a person with a
# single URL beside long lists.
THREADS = 12
SPARE = 4
# Jobs under way at a time for one host.
PER_HOST = 6

T = TypeVar("T")


@dataclass(frozen=True)
class _Job(Generic[T]):
    """`host` is the one that the work asks, empty if it asks none."""

    host: str
    work: Callable[[], T]
    future: Future[T]

    def run(self) -> None:
        try:
            self.future.set_result(self.work())
        except BaseException as error:  # noqa: BLE001 - the future raises it
            self.future.set_exception(error)


class Turns:
    """Runs each job in a thread of its own. One serves any number of threads.

    A free thread takes a job of whoever has the fewest under way, and of those in turn. A host that
    has enough of them under way is passed over until one has ended.
    """

    def __init__(
        self, threads: int = THREADS, spare: int = SPARE, per_host: int = PER_HOST
    ) -> None:
        self._free = threads
        self._spare = spare
        self._per_host = per_host
        self._lock = threading.Lock()
        self._stopped = False
        # The jobs that wait, by who asked and by host; who was served last stands last.
        self._waiting: dict[Hashable, dict[str, deque[_Job[Any]]]] = {}
        self._under_way: Counter[Hashable] = Counter()
        self._at_host: Counter[str] = Counter()

    def submit(self, asker: Hashable, host: str, work: Callable[[], T]) -> Future[T]:
        """Have the work done. All of one request, or of one import, has the same `asker`; `host` is
        empty for work that asks none. Until it is begun, the future can be cancelled."""
        job = _Job(host, work, Future[T]())
        with self._lock:
            if self._stopped:
                job.future.cancel()
                return job.future
            self._waiting.setdefault(asker, {}).setdefault(host, deque()).append(job)
            self._begin()
        return job.future

    def stop(self) -> None:
        """Cancel what has not begun, and whatever is submitted from now on."""
        with self._lock:
            self._stopped = True
            for hosts in self._waiting.values():
                for job in (job for jobs in hosts.values() for job in jobs):
                    job.future.cancel()
            self._waiting.clear()

    @property
    def busy(self) -> bool:
        """Whether jobs are under way, or wait for their turn."""
        with self._lock:
            return bool(self._waiting or self._under_way)

    def _begin(self) -> None:
        """Begin what may be begun now. The caller holds the lock."""
        while self._free and (found := self._next()):
            asker, job = found
            if not job.future.set_running_or_notify_cancel():
                continue
            self._free -= 1
            self._under_way[asker] += 1
            self._at_host[job.host] += 1
            if asker in self._waiting:
                self._waiting[asker] = self._waiting.pop(asker)  # to the end of the row
            # A daemon, so that the end of the process waits for no job.
            threading.Thread(target=self._run, args=(asker, job), daemon=True).start()

    def _next(self) -> tuple[Hashable, _Job[Any]] | None:
        """Take the job whose turn it is, if there is one."""
        for asker in sorted(self._waiting, key=self._under_way.__getitem__):
            if self._under_way[asker] and self._free <= self._spare:
                return None
            if job := self._take(asker):
                return asker, job
        return None

    def _take(self, asker: Hashable) -> _Job[Any] | None:
        hosts = self._waiting[asker]
        for host, jobs in hosts.items():
            if not host or self._at_host[host] < self._per_host:
                job = jobs.popleft()
                if not jobs:
                    del hosts[host]
                if not hosts:
                    del self._waiting[asker]
                return job
        return None

    def _run(self, asker: Hashable, job: _Job[Any]) -> None:
        job.run()
        with self._lock:
            self._free += 1
            self._under_way = self._under_way - Counter([asker])
            self._at_host = self._at_host - Counter([job.host])
            self._begin()

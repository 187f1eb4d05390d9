"""Whose files are fetched next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from localcloud.replicate import downloads
from localcloud.replicate.downloads import Downloads


class Line:
    """Downloads that go on until they are told to end, and as fast as `size` says."""

    def __init__(self, size: Callable[[str | None], int] = lambda _name: 0) -> None:
        self.begun: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.ended = asyncio.Event()
        self.downloads = Downloads(self._fetch, size, self._changed)

    def add(self, host: str, count: int) -> None:
        for number in range(count):
            self.downloads.add(f"{host}{number}", host)

    async def begin(self, *, idle: bool) -> list[str]:
        """Those that have begun, in their order."""
        self.downloads.begin(idle=idle)
        await asyncio.sleep(0)
        return self.begun

    async def end(self, name: str) -> None:
        self.ended.clear()
        self.ends[name].set()
        await self.ended.wait()

    async def _fetch(self, name: str) -> None:
        self.begun.append(name)
        self.ends[name] = asyncio.Event()
        await self.ends[name].wait()

    def _changed(self, name: str | None) -> None:
        if name:
            self.ended.set()


def test_hosts_take_turns() -> None:
    async def main() -> None:
        line = Line()
        line.add("a", 1000)
        line.add("b", 2)
        line.add("c", 1)
        assert await line.begin(idle=True) == ["a0", "b0", "c0", "a1", "b1"]
        await line.end("a0")
        assert (await line.begin(idle=True))[5:] == ["a2"]
        assert line.downloads.fetched == {"a0"}
        line.downloads.stop()

    asyncio.run(main())


def test_a_busy_model_gets_a_few_ahead_and_an_idle_one_all() -> None:
    async def main() -> None:
        line = Line()
        for number in range(50):
            line.add(f"host {number} ", 1)
        assert len(await line.begin(idle=False)) == downloads.MAX_AHEAD
        await line.end("host 0 0")
        assert len(await line.begin(idle=False)) == downloads.MAX_AHEAD
        assert len(await line.begin(idle=True)) == 50
        line.downloads.stop()

    asyncio.run(main())


def test_no_more_is_fetched_ahead_than_there_is_room_for() -> None:
    async def main() -> None:
        size = downloads.MAX_BYTES_IDLE
        line = Line(lambda _name: size)
        line.add("a", 1)
        assert await line.begin(idle=True) == []
        size = downloads.MAX_BYTES
        assert await line.begin(idle=False) == []
        assert await line.begin(idle=True) == ["a0"]
        line.downloads.stop()

    asyncio.run(main())


@pytest.mark.parametrize("speed", ["slow", "quick"])
def test_a_slow_download_holds_no_slot(speed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "SLOW_SECONDS", 0.0)

    async def main() -> None:
        line = Line(lambda _name: 0 if speed == "slow" else 10**9)
        line.add("a", downloads.HOST_DOWNLOADS + 5)
        await line.begin(idle=True)
        await line.begin(idle=True)
        assert len(line.begun) == (4 if speed == "slow" else 2)
        for _ in range(100):
            await line.begin(idle=True)
        assert len(line.begun) == (downloads.HOST_DOWNLOADS if speed == "slow" else 2)
        line.downloads.stop()

    asyncio.run(main())


def test_a_few_hosts_leave_places_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "SLOW_SECONDS", 0.0)

    async def main() -> None:
        line = Line()
        for host in "abcd":
            line.add(host, 2 * downloads.HOST_DOWNLOADS)
        for _ in range(200):
            await line.begin(idle=True)
        line.add("honest", 1)
        assert (await line.begin(idle=True))[-1] == "honest0"
        line.downloads.stop()

    asyncio.run(main())


def test_what_is_dropped_is_not_fetched() -> None:
    async def main() -> None:
        line = Line()
        line.add("a", 5)
        await line.begin(idle=True)
        line.ended.clear()
        line.downloads.drop("a0", "a")
        line.downloads.drop("a2", "a")
        await line.ended.wait()
        assert await line.begin(idle=True) == ["a0", "a1", "a3"]
        await line.end("a1")
        line.downloads.drop("a1", "a")
        assert line.downloads.fetched == set()
        line.downloads.stop()

    asyncio.run(main())

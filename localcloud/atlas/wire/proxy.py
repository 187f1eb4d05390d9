"""The wire-protocol proxy: one upstream connection for each client connection.

Messages pass through unchanged, with two exceptions. A command from commands.py is carried out in a
thread pool and answered directly, or it is rewritten and forwarded under the same request id, so
that the reply and its cursor are the server's. A reply that names the server's address names the
proxy's instead (topology.py). Compressed messages are not inspected: a driver compresses only if
the server's hello offers that, and SecantusDB's does not.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pymongo.errors import ConnectionFailure

from localcloud.atlas.wire import messages as wire
from localcloud.atlas.wire import topology
from localcloud.atlas.wire.commands import (
    CANDIDATES,
    Forward,
    Reply,
    Services,
    handle,
    is_ours,
    searches,
)
from localcloud.atlas.wire.errors import CommandError
from localcloud.atlas.wire.messages import Header, WireError
from localcloud.atlas.wire.upstream import WriteClock

log = logging.getLogger("atlas.proxy")

# Bytes that are read from a connection at once.
CHUNK = 256 * 1024
# Threads that search, and threads for the commands about indexes: a health check lists the indexes
# also while every search waits.
SEARCHERS = 16
MANAGERS = 4
# Connections that may wait to be accepted.
BACKLOG = 512

# Commands that change no document. After any other, the next search checks whether its index
# includes the change.
READS = frozenset({
    *("hello", "isMaster", "ismaster", "ping", "endSessions", "refreshSessions"),
    *("find", "getMore", "killCursors", "aggregate", "count", "distinct", "explain"),
    *("listCollections", "listDatabases", "listIndexes", "buildInfo", "serverStatus"),
    *("dbStats", "collStats", "connectionStatus", "getParameter", "saslStart", "saslContinue"),
})  # fmt: skip
# Commands that change documents of the collection that they name. What else may write, such as
# the end of a transaction, counts as a write to every collection.
WRITES = frozenset({"insert", "update", "delete", "findAndModify", "findandmodify"})
# The stages by which an aggregation writes.
_WRITING_STAGES = (b"$out", b"$merge")


class Proxy:
    """Listens on 127.0.0.1 and passes connections on to the upstream port there."""

    def __init__(self, upstream_port: int, services: Services, clock: WriteClock) -> None:
        self._upstream_port = upstream_port
        self.services = services
        self.clock = clock
        self._searchers = ThreadPoolExecutor(SEARCHERS, "search")
        self._managers = ThreadPoolExecutor(MANAGERS, "manage")
        self._sessions: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int) -> None:
        """Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", port, backlog=BACKLOG, limit=CHUNK
        )

    async def stop(self) -> None:
        """Close every connection. Drivers reconnect by themselves."""
        if self._server is not None:
            self._server.close()
        for session in list(self._sessions):
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        for pool in (self._searchers, self._managers):
            pool.shutdown(wait=False, cancel_futures=True)

    async def handle(self, command: Mapping[str, Any]) -> Reply | Forward:
        """Carry out a command in a thread."""
        pool = self._searchers if searches(command) else self._managers
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, handle, self.services, command)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.current_task()
        if session is None:
            raise RuntimeError("not in a task")
        self._sessions.add(session)
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            log.debug("connection cancelled")
        finally:
            self._sessions.discard(session)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass messages both ways. If the server is away, closing the connection tells a driver."""
        try:
            upstream = await asyncio.open_connection("127.0.0.1", self._upstream_port, limit=CHUNK)
        except OSError:
            return
        session = Session(self, (reader, writer), upstream)
        pumps = [
            asyncio.ensure_future(session.requests()),
            asyncio.ensure_future(session.replies()),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            upstream[1].transport.abort()
            for pump in pumps:
                pump.cancel()
            for outcome in await asyncio.gather(*pumps, return_exceptions=True):
                _report(outcome)


def _report(outcome: BaseException | None) -> None:
    """Log the end of a connection as a bug unless connections may end that way."""
    if isinstance(outcome, WireError | ConnectionFailure):
        log.warning("connection closed: %s", outcome)
    elif outcome is not None and not isinstance(
        outcome, asyncio.CancelledError | OSError | asyncio.IncompleteReadError
    ):
        log.error("connection failed", exc_info=outcome)


class Session:
    """One client connection and its upstream connection."""

    _request_ids = itertools.count(1)

    def __init__(
        self,
        proxy: Proxy,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._proxy = proxy
        self._from_client, self._to_client = client
        self._from_upstream, self._to_upstream = upstream
        host, port = client[1].get_extra_info("sockname")[:2]
        # The proxy, as the client reaches it.
        self._address = f"{host}:{port}"
        # The writes that wait for their reply: the collection of each, or None, by request id.
        self._writes: dict[int, str | None] = {}
        # The request ids of commands whose replies name the server's address.
        self._naming: set[int] = set()
        # Held while a message is only partly written.
        self._message_lock = asyncio.Lock()

    async def requests(self) -> None:
        """Pass messages from the client to the server until either closes."""
        while (found := await wire.read_header(self._from_client)) is not None:
            header, head = found
            rest = header.length - wire.HEADER_SIZE
            start = await self._from_client.readexactly(min(rest, wire.PEEK))
            seen = wire.peek(header.op_code, start)
            if seen is not None and seen.command in CANDIDATES:
                start += await self._from_client.readexactly(rest - len(start))
                if is_ours(seen.command, start):
                    await self._answer(header, head, start)
                    continue
            if seen is not None:
                self._note_write(header, start, seen)
            if topology.asks(header.op_code, seen):
                self._naming.add(header.request_id)
            self._to_upstream.write(head + start)
            await _pump(self._from_client, self._to_upstream, rest - len(start))

    async def replies(self) -> None:
        """Pass messages from the server to the client until either closes."""
        while (found := await wire.read_header(self._from_upstream)) is not None:
            header, head = found
            rest = header.length - wire.HEADER_SIZE
            if header.response_to in self._writes:
                self._proxy.clock.tick(self._writes.pop(header.response_to))
            async with self._message_lock:
                if header.response_to in self._naming:
                    body = await self._from_upstream.readexactly(rest)
                    self._to_client.write(self._readdressed(header, body))
                    await self._to_client.drain()
                    continue
                start = await self._from_upstream.readexactly(min(rest, wire.PEEK))
                self._to_client.write(head + start)
                await _pump(self._from_upstream, self._to_client, rest - len(start))

    def _readdressed(self, header: Header, body: bytes) -> bytes:
        """A reply with the proxy's address in it. One request may have several such replies."""
        seen = wire.peek(header.op_code, body)
        if seen is None or not seen.flags & wire.MORE_TO_COME:
            self._naming.discard(header.response_to)
        return topology.readdress(header, body, self._address)

    def _note_write(self, header: Header, start: bytes, seen: wire.Peek) -> None:
        reading = seen.command in READS
        if reading and seen.command == "aggregate":
            reading = not any(stage in start for stage in _WRITING_STAGES)
        if not reading and not seen.flags & wire.MORE_TO_COME:
            self._writes[header.request_id] = seen.target if seen.command in WRITES else None

    async def _answer(self, header: Header, head: bytes, body: bytes) -> None:
        """Answer a message that may be one of our commands, or forward it."""
        try:
            message = wire.decode(header, body)
        except WireError as why:  # the server judges it, as it does all others
            log.info("passed on: %s", why)
            self._to_upstream.write(head + body)
            await self._to_upstream.drain()
            return
        outcome = await self._proxy.handle(message.body)
        if isinstance(outcome, Reply):
            await self._reply(message, outcome.document)
            return
        data = head + body
        if outcome.command is not None:
            data = wire.encode(header.request_id, 0, outcome.command, flags=message.flags)
        if len(data) > wire.MAX_DOCUMENT:
            error = CommandError("BadValue", "the search results are too many for one command")
            await self._reply(message, error.reply())
            return
        self._note_write(header, body, wire.Peek(message.flags, "aggregate"))
        self._to_upstream.write(data)
        await self._to_upstream.drain()

    async def _reply(self, message: wire.Message, document: Mapping[str, Any]) -> None:
        if message.flags & wire.MORE_TO_COME:  # the client expects no reply
            return
        data = wire.encode(next(self._request_ids), message.header.request_id, document)
        async with self._message_lock:
            self._to_client.write(data)
            await self._to_client.drain()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: int) -> None:
    """Pass on `count` bytes, then wait until the other side can take more."""
    while count > 0:
        data = await reader.read(min(count, CHUNK))
        if not data:
            raise asyncio.IncompleteReadError(b"", count)
        writer.write(data)
        count -= len(data)
        await writer.drain()
    await writer.drain()

"""The wire-protocol proxy: one upstream connection for each client connection.

Messages pass through unchanged, except those with a command from commands.py. Such a command is
carried out in a thread pool and answered directly, or it is rewritten and forwarded under the
same request id, so that the reply and its cursor are the server's. Compressed messages are not
inspected: a driver compresses only if the server's hello offers that, and SecantusDB's does not.
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
from localcloud.atlas.wire.commands import CANDIDATES, Reply, Services, handle, is_ours
from localcloud.atlas.wire.errors import CommandError
from localcloud.atlas.wire.messages import Header, WireError
from localcloud.atlas.wire.upstream import WriteClock

log = logging.getLogger("atlas.proxy")

# Bytes that are read from a connection at once.
CHUNK = 256 * 1024
# Threads that carry out commands.
WORKERS = 16
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
# The stages by which an aggregation writes.
_WRITING_STAGES = (b"$out", b"$merge")


class Proxy:
    """Listens on 127.0.0.1 and passes connections on to the upstream port there."""

    def __init__(self, upstream_port: int, services: Services, clock: WriteClock) -> None:
        self._upstream_port = upstream_port
        self.services = services
        self.clock = clock
        self.workers = ThreadPoolExecutor(WORKERS, "atlas")
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
        self.workers.shutdown(wait=False, cancel_futures=True)

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
        # The request ids of writes that wait for their reply.
        self._writes: set[int] = set()
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
            self._to_upstream.write(head + start)
            await _pump(self._from_client, self._to_upstream, rest - len(start))

    async def replies(self) -> None:
        """Pass messages from the server to the client until either closes."""
        while (found := await wire.read_header(self._from_upstream)) is not None:
            header, head = found
            rest = header.length - wire.HEADER_SIZE
            if header.response_to in self._writes:
                self._writes.discard(header.response_to)
                self._proxy.clock.tick()
            async with self._message_lock:
                start = await self._from_upstream.readexactly(min(rest, wire.PEEK))
                self._to_client.write(head + start)
                await _pump(self._from_upstream, self._to_client, rest - len(start))

    def _note_write(self, header: Header, start: bytes, seen: wire.Peek) -> None:
        reading = seen.command in READS
        if reading and seen.command == "aggregate":
            reading = not any(stage in start for stage in _WRITING_STAGES)
        if not reading and not seen.flags & wire.MORE_TO_COME:
            self._writes.add(header.request_id)

    async def _answer(self, header: Header, head: bytes, body: bytes) -> None:
        """Answer a message that may be one of our commands, or forward it."""
        message = wire.decode(header, body)
        loop = asyncio.get_running_loop()
        outcome = await loop.run_in_executor(
            self._proxy.workers, handle, self._proxy.services, message.body
        )
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

"""Uvicorn's HTTP/1.1 protocol, with deadlines for the headers and a bound on connections."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, cast

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from .connections import Connections
from .limits import Limits

# The key of the scope's state under which the connection of a request is found.
CONNECTION = "guardedserve.connection"
TOO_LATE = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 35\r\nConnection: close\r\n\r\nThe request did not come in time.\r\n"
)


class GuardedProtocol(H11Protocol):
    """One connection. `cut` closes it; the front says whose turn it is while a request is served.

    Uvicorn ends a connection that stays silent after an answer. It sets no deadline to a client
    that sends its headers slowly, or only some of them.
    """

    def __init__(
        self,
        limits: Limits,
        connections: Connections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.address = ""
        self._limits = limits
        self._all = connections
        self._deadline: asyncio.TimerHandle | None = None
        self._refused = False
        self._lost = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # With this, what is drained was taken by the client's side: no byte is left here.
        transport.set_write_buffer_limits(high=0)
        if self._socket().family != socket.AF_UNIX:
            # asyncio sets this only on sockets that it has made itself. Without it a body waits,
            # on a kept connection, until the client has acknowledged the headers: 40 ms.
            self._socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address = self.client[0] if self.client else ""
        if self._is_nobodys() or not self._all.admit(self):
            self.cut()
        else:
            self._await_headers()

    def _is_nobodys(self) -> bool:
        """Whether the client has reset the connection before it was accepted. The kernel still
        delivers the request, but not the address, and an application may take a request without
        an address for one over a socket file, which comes from its own machine."""
        return self.client is None and self._socket().family != socket.AF_UNIX

    def _socket(self) -> socket.socket:
        return cast(socket.socket, self.transport.get_extra_info("socket"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._cancel_deadline()
        self._all.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing() or self._refused:
            return
        super().data_received(data)
        if self.transport.is_closing():
            self._close_soon()
        elif not (self._under_way() or self._refused):
            self._await_headers()

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._cancel_deadline()
            self.cycle.scope["state"][CONNECTION] = self
            self._all.answer(self)

    def send_400_response(self, msg: str) -> None:
        """Answer, and go on reading: what is unread at a close would destroy the answer. Where
        another answer has begun there is no room for this one."""
        self._refused = True
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.cut()
            return
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=msg.encode("ascii")),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.write_eof()
        self._close_soon()

    def on_response_complete(self) -> None:
        answered = self.cycle
        self._all.hold(self, 0)
        self._all.answer(self)
        self._all.wait(self)
        super().on_response_complete()
        if self.transport.is_closing():
            self._close_soon()
        elif self.cycle is answered and (answered.more_body or self.conn.trailing_data[0]):
            self._await_headers()

    def timeout_keep_alive_handler(self) -> None:
        """The connection has been idle for too long."""
        super().timeout_keep_alive_handler()
        self._close_soon()

    def shutdown(self) -> None:
        """Let a request be answered that has come whole; the others are late."""
        if self._under_way() and self.cycle.more_body:
            self.cut()
        else:
            super().shutdown()

    def cut(self) -> None:
        """Close the connection; what its client has not yet taken is lost."""
        if self._lost:
            return
        # Else the kernel would keep that, and go on sending it.
        linger = struct.pack("ii", 1, 0)
        self._socket().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.transport.abort()

    def wait(self) -> None:
        """It is the client's turn."""
        self._all.wait(self)

    def hold(self, size: int, *, patience: float = 0.0) -> bool:
        """So many bytes are kept for the client. False when there is no room for them."""
        return self._all.hold(self, size, patience=patience)

    def answer(self) -> None:
        """It is the server's turn."""
        self._all.answer(self)

    def _should_upgrade(self) -> bool:
        """Nobody is warned of what a stranger asks for."""
        return False

    def _under_way(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_headers(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self._limits.headers, self._too_late)

    def _too_late(self) -> None:
        if self.conn.our_state is h11.IDLE and self.conn.trailing_data[0]:
            self.transport.write(TOO_LATE)
        self.transport.close()
        self._close_soon()

    def _close_soon(self) -> None:
        """Give the client a moment for the rest of an answer: a transport waits for ever."""
        self._cancel_deadline()
        self._deadline = self.loop.call_later(self._limits.grace, self.cut)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

"""Names to addresses, and connections to vetted addresses alone, all under one deadline."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import httpcore

from .addresses import Allow, is_public
from .errors import (
    AddressRefused,
    FetchError,
    HeadersTooLarge,
    InsecureServer,
    LookupFailed,
    NameNotFound,
    TooSlow,
    Unreachable,
)
from .limits import Deadline, Pace, readable_size
from .urls import Target

# From a host name and a port to its IP addresses as text. Raises socket.gaierror.
Resolver = Callable[[str, int], Sequence[str]]

MAX_ADDRESSES_TRIED = 6

# Answers of getaddrinfo that mean 'no such name'; EAI_NODATA is missing on some systems.
_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


def system_resolve(host: str, port: int) -> list[str]:
    """The addresses that the operating system knows for the name, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def vetted_addresses(
    target: Target, allow: Allow, resolve: Resolver, deadline: Deadline
) -> list[str]:
    """Every address of the target's host, all of them public or the host exempt.

    Raises AddressRefused if a single one is neither.
    """
    addresses = _addresses(target, resolve, deadline)
    if not allow.permits(target.host, target.port):
        for address in addresses:
            _refuse_unless_public(target, address)
    return addresses


def _refuse_unless_public(target: Target, address: str) -> None:
    parsed = ipaddress.ip_address(address)
    if is_public(parsed):
        return
    if address == target.host:
        words = f"{address} is not a public address"
    else:
        words = f"{target.host} points to {address}, which is not a public address"
    raise AddressRefused(
        f"{words}. Whoever runs this service can permit it by naming the host in FETCH_ALLOW"
    )


def _addresses(target: Target, resolve: Resolver, deadline: Deadline) -> list[str]:
    try:
        return [str(ipaddress.ip_address(target.host))]
    except ValueError:
        pass
    try:
        found = _resolve_in_time(target, resolve, deadline)
        addresses = [str(ipaddress.ip_address(address)) for address in found]
    except socket.gaierror as error:
        if error.errno in _NO_SUCH_NAME:
            raise _no_such_name(target) from error
        raise LookupFailed(f"The name {target.host} could not be looked up") from error
    except (OSError, ValueError) as error:
        raise LookupFailed(f"The name {target.host} could not be looked up") from error
    if not addresses:
        raise _no_such_name(target)
    return addresses


def _no_such_name(target: Target) -> NameNotFound:
    return NameNotFound(f"The name {target.host} does not exist")


def _resolve_in_time(target: Target, resolve: Resolver, deadline: Deadline) -> Sequence[str]:
    """getaddrinfo cannot be interrupted: past the deadline its thread is left to end alone."""
    answer: Future[Sequence[str]] = Future()

    def look_up() -> None:
        try:
            answer.set_result(resolve(target.host, target.port))
        except (OSError, ValueError) as error:
            answer.set_exception(error)

    complaint = f"The name {target.host} could not be looked up"
    left = deadline.left(complaint)
    threading.Thread(target=look_up, name="guardedfetch-lookup", daemon=True).start()
    try:
        return answer.result(left)
    except TimeoutError as error:
        raise deadline.passed(complaint) from error


@dataclass
class Exchange:
    """One request and its answer, as far as it has come.

    `answered`: all headers are in. `header_bytes` and `body_bytes` count what was read from
    the connection before and after that, chunk framing included.
    """

    target: Target
    addresses: Sequence[str]
    deadline: Deadline
    pace: Pace
    max_header_bytes: int
    header_bytes: int = 0
    body_bytes: int = 0
    answered: bool = False

    def seconds_left(self) -> float:
        """For the next read or write, more than none. Raises TooSlow."""
        return min(self.deadline.left(self.complaint), self.pace.left(self.complaint))

    def passed(self) -> FetchError:
        """The error for a step that took all the seconds that were left."""
        try:
            self.seconds_left()
        except TooSlow as error:
            return error
        return self.deadline.passed(self.complaint)

    @property
    def complaint(self) -> str:
        """What the server did not do in time."""
        if self.answered:
            return "The server did not send everything"
        return "The server did not answer"


class GuardedBackend(httpcore.NetworkBackend):
    """Connects to the exchange's addresses, whatever host it is asked for."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """The first address that takes the connection. Raises Unreachable or TooSlow."""
        candidates = self._exchange.addresses[:MAX_ADDRESSES_TRIED]
        failure: OSError | None = None
        for tried, address in enumerate(candidates):
            # Each gets its share, so that a silent first address leaves time for the second.
            share = self._exchange.seconds_left() / (len(candidates) - tried)
            try:
                connection = socket.create_connection((address, port), share)
            except OSError as error:
                failure = error
                continue
            return GuardedStream(connection, self._exchange)
        raise self._unreachable(failure) from failure

    def _unreachable(self, failure: OSError | None) -> FetchError:
        if isinstance(failure, ConnectionRefusedError):
            return Unreachable("The server refused the connection")
        if isinstance(failure, TimeoutError):
            return self._exchange.passed()
        return Unreachable(f"The server {self._exchange.target.host} could not be reached")


class GuardedStream(httpcore.NetworkStream):
    """A connection whose every read and write ends at the deadline, headers counted."""

    def __init__(self, connection: socket.socket, exchange: Exchange) -> None:
        self._connection = connection
        self._exchange = exchange

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """What has arrived, or b'' at the end."""
        exchange = self._exchange
        if not exchange.answered:
            max_bytes = min(max_bytes, self._header_room())
        data = self._receive(max_bytes)
        exchange.pace.came(len(data))
        if exchange.answered:
            exchange.body_bytes += len(data)
        else:
            exchange.header_bytes += len(data)
        return data

    def _receive(self, max_bytes: int) -> bytes:
        while True:
            self._connection.settimeout(self._exchange.seconds_left())
            try:
                return self._connection.recv(max_bytes)
            except TimeoutError:
                continue  # whether the time is really over, `seconds_left` says
            except OSError as error:
                raise Unreachable("The connection to the server broke off") from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Send everything. httpcore.WriteError: the server may have answered already."""
        try:
            self._connection.settimeout(self._exchange.seconds_left())
            self._connection.sendall(buffer)
        except TimeoutError as error:
            raise self._exchange.passed() from error
        except OSError as error:
            raise httpcore.WriteError(error) from error

    def close(self) -> None:
        """Drop the connection, with no farewell to wait for."""
        self._connection.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Raises InsecureServer when the server is not proven to be the one named."""
        try:
            self._connection.settimeout(self._exchange.seconds_left())
            secured = ssl_context.wrap_socket(self._connection, server_hostname=server_hostname)
        except OSError as error:
            self.close()
            raise self._tls_failure(error) from error
        return GuardedStream(secured, self._exchange)

    def _tls_failure(self, error: OSError) -> FetchError:
        host = self._exchange.target.host
        if isinstance(error, TimeoutError):
            return self._exchange.passed()
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = error.verify_message.rstrip(".")
            return InsecureServer(f"The certificate of {host} is not valid: {reason}")
        if isinstance(error, ssl.SSLError):
            return InsecureServer(f"The server {host} does not speak TLS as it should")
        return Unreachable("The connection to the server broke off")

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks for: nothing but the TLS object, for the negotiated protocol."""
        if info == "ssl_object" and isinstance(self._connection, ssl.SSLSocket):
            return self._connection
        return None

    def _header_room(self) -> int:
        room = self._exchange.max_header_bytes - self._exchange.header_bytes
        if room <= 0:
            size = readable_size(self._exchange.max_header_bytes)
            raise HeadersTooLarge(f"The server sent more than {size} of headers")
        return room

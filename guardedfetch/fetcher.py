"""The fetch itself: checked hops, capped answers."""

from __future__ import annotations

import contextlib
import io
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

import httpcore
import httpx

from .addresses import Allow
from .decoding import ACCEPTED, decoder_for
from .errors import BadAnswer, BadRedirect, BadUrl, TooLarge, TooManyRedirects, Unreachable
from .limits import Deadline, Limits, Pace, readable_size
from .network import Exchange, GuardedBackend, Resolver, system_resolve, vetted_addresses
from .urls import Target, join_url, parse_url

_REDIRECTS = {301, 302, 303, 307, 308}
_PERMANENT = {301, 308}
_FOR_ONE_ORIGIN = {"authorization", "cookie"}

# A chunk costs time however small it is, so past this the framing may not outweigh the content.
_FRAMING_ALLOWANCE = 128 * 1024


@dataclass(frozen=True)
class Fetched:
    """An answer. `url` is where the last redirect led, without a fragment; `permanent_url` is where
    the permanent ones led that came before the first temporary one.

    `status` is any HTTP status: an error status is an answer too. `headers` are the last
    answer's, names in any case. `body` is decompressed; empty after `head` and `download`.
    """

    url: str
    status: int
    headers: httpx.Headers
    body: bytes = b""
    permanent_url: str = ""


class Stream:
    """An answer whose body is still to come: iterate once for decompressed pieces of bytes.

    Iterating raises FetchError when a limit or the connection breaks.
    """

    def __init__(self, exchange: Exchange, response: httpcore.Response, limits: Limits) -> None:
        self.url = self.permanent_url = str(exchange.target.url)
        self.status = response.status
        self.headers = httpx.Headers(response.headers)
        self._exchange = exchange
        self._response = response
        self._limits = limits

    def fetched(self, body: bytes = b"") -> Fetched:
        """The answer with this body."""
        return Fetched(self.url, self.status, self.headers, body, self.permanent_url)

    def __iter__(self) -> Iterator[bytes]:
        decode = decoder_for(self.headers.get("content-encoding", ""))
        cap, count = self._limits.max_decompressed_bytes, 0
        for piece in decode(self._wire_bytes()):
            self._exchange.seconds_left()
            count += len(piece)
            if count > cap:
                raise TooLarge(f"The content is larger than {readable_size(cap)}")
            yield piece

    def _wire_bytes(self) -> Iterator[bytes]:
        cap, count = self._limits.max_bytes, 0
        told = int(self.headers.get("content-length", "0")[:20])
        if told > cap:
            raise TooLarge(f"The content is larger than {readable_size(cap)}")
        self._exchange.pace.expect(told, self._limits.deadline)
        with _protocol_errors():
            for chunk in self._response.iter_stream():
                count += len(chunk)
                if count > cap:
                    raise TooLarge(f"The content is larger than {readable_size(cap)}")
                if self._exchange.body_bytes > 2 * count + _FRAMING_ALLOWANCE:
                    raise BadAnswer("The server cuts its content into too many small chunks")
                yield chunk


class Fetcher:
    """Fetches URLs that strangers chose. One serves any number of threads.

    `resolve` answers for names instead of the operating system; `ssl_context` replaces the
    one that trusts certifi's authorities (or those of SSL_CERT_FILE). Every method raises
    FetchError and nothing else, whatever the URL and the server.
    """

    def __init__(
        self,
        allow: Allow | None = None,
        limits: Limits | None = None,
        *,
        resolve: Resolver = system_resolve,
        ssl_context: ssl.SSLContext | None = None,
        user_agent: str = "guardedfetch/1.0",
    ) -> None:
        self._allow = allow or Allow()
        self._limits = limits or Limits()
        self._resolve = resolve
        self._ssl_context = ssl_context or httpx.create_ssl_context()
        self._headers = {
            "User-Agent": user_agent,
            "Accept": "*/*",
            "Accept-Encoding": ACCEPTED,
            "Connection": "close",
        }

    def head(
        self, url: str, headers: Mapping[str, str] | None = None, limits: Limits | None = None
    ) -> Fetched:
        """The status and headers alone. A server may answer 405 or 501: it knows no HEAD."""
        with self.open(url, "HEAD", headers, limits) as stream:
            return stream.fetched()

    def get(
        self, url: str, headers: Mapping[str, str] | None = None, limits: Limits | None = None
    ) -> Fetched:
        """The whole answer in memory."""
        body = io.BytesIO()
        fetched = self.download(url, body, headers, limits)
        return replace(fetched, body=body.getvalue())

    def download(
        self,
        url: str,
        file: BinaryIO,
        headers: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> Fetched:
        """Write the body to the file as it comes, whatever the status; an error leaves a part."""
        with self.open(url, "GET", headers, limits) as stream:
            for piece in stream:
                file.write(piece)
            return stream.fetched()

    @contextlib.contextmanager
    def open(
        self,
        url: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> Iterator[Stream]:
        """The final answer, its body unread. `method`: GET or HEAD, kept over redirects."""
        limits = limits or self._limits
        deadline = Deadline(limits.deadline)
        target = permanent = parse_url(url)
        lasting = True
        sent = httpx.Headers(self._headers)
        sent.update(headers)
        for _ in range(limits.max_redirects + 1):
            with self._answer(target, method, sent, limits, deadline) as stream:
                following = _redirect_target(target, stream)
                if following is None:
                    _refuse_two_content_types(stream.headers)
                    stream.permanent_url = str(permanent.url)
                    yield stream
                    return
                lasting = lasting and stream.status in _PERMANENT
            sent = _headers_for(following, target, sent)
            target = following
            permanent = target if lasting else permanent
        raise TooManyRedirects(f"More than {limits.max_redirects} redirects")

    @contextlib.contextmanager
    def _answer(
        self,
        target: Target,
        method: str,
        headers: httpx.Headers,
        limits: Limits,
        deadline: Deadline,
    ) -> Iterator[Stream]:
        addresses = vetted_addresses(target, self._allow, self._resolve, deadline)
        pace = Pace(limits.stall)
        exchange = Exchange(target, addresses, deadline, pace, limits.max_header_bytes)
        url = httpcore.URL(
            scheme=target.url.scheme,
            host=target.host,
            port=target.port,
            target=target.url.raw_path,
        )
        host = (b"Host", target.url.netloc)
        request = httpcore.Request(method, url, headers=[host, *headers.raw])
        with httpcore.HTTPConnection(
            url.origin, ssl_context=self._ssl_context, network_backend=GuardedBackend(exchange)
        ) as connection:
            with _protocol_errors():
                response = connection.handle_request(request)
            exchange.answered = True
            yield Stream(exchange, response, limits)


@contextlib.contextmanager
def _protocol_errors() -> Iterator[None]:
    try:
        yield
    except httpcore.RemoteProtocolError as error:
        if "disconnected" in str(error) or "closed connection" in str(error):
            raise Unreachable("The server closed the connection too early") from error
        raise BadAnswer("The server did not answer in proper HTTP") from error
    except ValueError as error:  # h11 on a Content-Length of more than 4,300 digits
        raise BadAnswer("The server did not answer in proper HTTP") from error


def _redirect_target(target: Target, stream: Stream) -> Target | None:
    location = stream.headers.get("location")
    if stream.status not in _REDIRECTS or location is None:
        return None
    try:
        return join_url(target, location)
    except BadUrl as error:
        raise BadRedirect(f"The server redirects to a URL that is not fetched: {error}") from error


def _headers_for(following: Target, target: Target, headers: httpx.Headers) -> httpx.Headers:
    """Credentials stay with the origin that they were meant for."""
    if (following.url.scheme, following.url.netloc) == (target.url.scheme, target.url.netloc):
        return headers
    return httpx.Headers(
        [(name, value) for name, value in headers.items() if name not in _FOR_ONE_ORIGIN]
    )


def _refuse_two_content_types(headers: httpx.Headers) -> None:
    """The same one twice is harmless; httpx would join two into one that is neither."""
    kinds = set(headers.get_list("content-type"))
    if len(kinds) > 1:
        raise BadAnswer("The server sent two different Content-Types")
    if kinds:
        headers["content-type"] = kinds.pop()

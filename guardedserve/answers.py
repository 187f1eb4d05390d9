"""Answers of the application, made in parts."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

Headers = list[tuple[bytes, bytes]]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Answer:
    """The answer of an application, made part by part, each in any thread."""

    def __init__(self, application: Application, environ: dict[str, Any], part: int) -> None:
        self.status = 500
        self.headers: Headers = []
        self._application = application
        self._environ = environ
        self._part = part
        self._body: Iterable[bytes] = ()
        self._chunks: Iterator[bytes] = iter(())
        # Whatever thread makes a part sees the context variables of the one before.
        self._context = contextvars.copy_context()

    def start(self) -> tuple[bytes, bool]:
        """Call the application; its status and headers are known after that. Returns the first
        part, and whether there are more."""
        return self._context.run(self._start)

    def more(self) -> tuple[bytes, bool]:
        """The next part, and whether there are more."""
        return self._context.run(self._next)

    def close(self) -> None:
        """Every answer has to be closed, taken or not."""
        close = getattr(self._body, "close", None)
        if close is not None:
            self._context.run(close)

    def _start(self) -> tuple[bytes, bool]:
        environ, self._environ = self._environ, {}  # which holds the body of the request
        self._body = self._application(environ, self._start_response)
        self._chunks = iter(self._body)
        return self._next()

    def _next(self) -> tuple[bytes, bool]:
        part = bytearray()
        for chunk in self._chunks:
            part += chunk
            if len(part) >= self._part:
                return bytes(part), True
        return bytes(part), False

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        del exc_info  # nothing is sent before the application returns
        self.status = int(status.split()[0])
        self.headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
        ]
        return cast(Callable[[bytes], object], _no_write)


def _no_write(_chunk: bytes) -> None:
    raise NotImplementedError("The application has to return its body.")

"""The files of a prediction's input: fetched under guard, then handed to Cog from loopback.

Cog turns a URL into a `cog.Path` by downloading it, without limits and from any address, and
takes neither a path nor a file: URL. So each http(s) URL in a file field is fetched here first,
and Cog gets a URL of this server with a secret in it, which keeps the file's name.
"""

from __future__ import annotations

import asyncio
import http
import secrets
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import quote, unquote, urlsplit

from guardedfetch import Fetcher, FetchError
from localcloud.replicate.files import FileStore
from localcloud.replicate.schemas import file_fields
from localcloud.replicate.store import Prediction

_MAX_NAME = 100


class InputFailed(Exception):
    """An input could not be had; the words are for the prediction's `error`."""


@dataclass(frozen=True)
class _Held:
    """A file that Cog may get, and the name it has in the URL."""

    path: Path
    name: str


class Inputs:
    """The files of all predictions that wait or run. `callback` is what Cog's URLs start with."""

    def __init__(self, folder: Path, fetcher: Fetcher, files: FileStore, callback: str) -> None:
        self._folder = folder
        self._fetcher = fetcher
        self._files = files
        self._callback = callback
        self._held: dict[str, _Held] = {}
        self._tokens: dict[str, dict[str, str]] = {}
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    async def fetch(self, prediction: Prediction, document: dict[str, Any]) -> None:
        """Get every file of the input. Raises InputFailed; cancelling stops the download."""
        tokens: dict[str, str] = {}
        for url in _remote(document, prediction.input):
            held = await self._get(url, self._folder / prediction.id)
            tokens[url] = token = secrets.token_urlsafe(24)
            self._held[token] = held
        self._tokens[prediction.id] = tokens

    def for_cog(self, prediction: Prediction, document: dict[str, Any]) -> dict[str, Any]:
        """The input with the URLs that Cog is to open."""
        tokens = self._tokens.get(prediction.id, {})

        def swap(value: Any) -> Any:
            token = tokens.get(value) if isinstance(value, str) else None
            return f"{self._callback}{token}/{quote(self._held[token].name)}" if token else value

        given = dict(prediction.input)
        for name, _urls in file_fields(document, given):
            value = given[name]
            given[name] = [swap(one) for one in value] if isinstance(value, list) else swap(value)
        return given

    def path(self, token: str) -> Path | None:
        """The file that a URL given to Cog means."""
        held = self._held.get(token)
        return held.path if held else None

    def release(self, prediction_id: str) -> None:
        """Forget and delete the prediction's files. Uploads stay."""
        for token in self._tokens.pop(prediction_id, {}).values():
            del self._held[token]
        shutil.rmtree(self._folder / prediction_id, ignore_errors=True)

    async def _get(self, url: str, folder: Path) -> _Held:
        if upload := self._files.by_url(url):
            return _Held(upload.path, upload.name)
        if url.startswith(f"{self._files.base}/v1/files/"):
            raise InputFailed(f"could not download {url}: there is no such file (any more)")
        folder.mkdir(exist_ok=True)
        path = folder / secrets.token_hex(4)
        await _in_thread(lambda stop: self._download(url, path, stop))
        return _Held(path, _name_in(url))

    def _download(self, url: str, path: Path, stop: threading.Event) -> None:
        try:
            with path.open("wb") as file:
                answer = self._fetcher.download(url, cast("BinaryIO", _Stoppable(file, stop)))
        except FetchError as error:
            raise InputFailed(f"could not download {url}: {error}") from error
        except OSError as error:
            raise InputFailed(f"could not keep {url}: {error.strerror}") from error
        if not 200 <= answer.status < 300:
            phrase = _phrase(answer.status)
            raise InputFailed(f"could not download {url}: {answer.status}{phrase}")


class _Stoppable:
    """A file whose writer is stopped by an event."""

    def __init__(self, file: BinaryIO, stop: threading.Event) -> None:
        self._file = file
        self._stop = stop

    def write(self, piece: bytes) -> int:
        if self._stop.is_set():
            raise InputFailed("stopped")
        return self._file.write(piece)


def _remote(document: dict[str, Any], given: dict[str, Any]) -> list[str]:
    urls = [url for _name, values in file_fields(document, given) for url in values]
    return [url for url in urls if url.lower().startswith(("http://", "https://"))]


def has_remote(document: dict[str, Any], given: dict[str, Any]) -> bool:
    """Whether the input holds a file that has to be fetched first."""
    return bool(_remote(document, given))


async def _in_thread(work: Callable[[threading.Event], None]) -> None:
    """Run it in a thread that no exit waits for; being cancelled sets the event it gets."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    stop = threading.Event()

    def settle(error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error: BaseException | None = None
        try:
            work(stop)
        except BaseException as raised:  # noqa: BLE001 - handed over, not swallowed
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=run, name="download", daemon=True).start()
    try:
        await done
    finally:
        stop.set()


def _name_in(url: str) -> str:
    """The last part of the URL's path; its end, where the suffix is, if it is long."""
    name = unquote(urlsplit(url).path).rpartition("/")[2].replace("\0", "").replace("\\", "_")
    return name.strip(". ")[-_MAX_NAME:] or "file"


def _phrase(status: int) -> str:
    try:
        return f" {http.HTTPStatus(status).phrase}"
    except ValueError:
        return ""

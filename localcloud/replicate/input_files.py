"""Fetches the files of a prediction's input and serves them to Cog.

Cog turns a URL into a `cog.Path` by downloading it, without limits and from any address, and it
accepts no paths and no file: URLs. So each http(s) URL in a file field is fetched here by
guardedfetch, and Cog gets a URL of this server that ends with the file's name. The URL contains a
secret token.
"""

from __future__ import annotations

import asyncio
import contextlib
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
from localcloud.replicate.prediction_store import Prediction
from localcloud.replicate.schemas import file_fields

# Characters of a file's name that are kept.
_MAX_NAME = 100


class InputFailed(Exception):
    """A file could not be fetched. The message becomes the prediction's `error`."""


@dataclass(frozen=True)
class _InputFile:
    """A fetched file, and its name in the URL for Cog."""

    path: Path
    name: str


class InputFiles:
    """The files of all waiting and running predictions. URLs for Cog start with `callback`."""

    def __init__(self, folder: Path, fetcher: Fetcher, files: FileStore, callback: str) -> None:
        self._folder = folder
        self._fetcher = fetcher
        self._files = files
        self._callback = callback
        self._by_token: dict[str, _InputFile] = {}
        self._tokens: dict[str, dict[str, str]] = {}
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    async def fetch(self, prediction: Prediction, document: dict[str, Any]) -> None:
        """Fetch every file of the input. Cancelling stops the download.

        Raises InputFailed, and OSError for a file that could not be stored.
        """
        tokens: dict[str, str] = {}
        for url in _remote(document, prediction.input):
            file = await self._get(url, self._folder / prediction.id)
            tokens[url] = token = secrets.token_urlsafe(24)
            self._by_token[token] = file
        self._tokens[prediction.id] = tokens

    def for_cog(self, prediction: Prediction, document: dict[str, Any]) -> dict[str, Any]:
        """The input with this server's URLs in place of the fetched ones."""
        tokens = self._tokens.get(prediction.id, {})

        def swap(value: Any) -> Any:
            token = tokens.get(value) if isinstance(value, str) else None
            if token is None:
                return value
            return f"{self._callback}{token}/{quote(self._by_token[token].name)}"

        given = dict(prediction.input)
        for name, _urls in file_fields(document, given):
            value = given[name]
            given[name] = [swap(one) for one in value] if isinstance(value, list) else swap(value)
        return given

    def path(self, token: str) -> Path | None:
        """The file behind the URL with that token."""
        file = self._by_token.get(token)
        return file.path if file else None

    def size(self, prediction_id: str | None = None) -> int:
        """Bytes of the files of a prediction, or of all, as far as they have been fetched."""
        count = 0
        for path in (self._folder / (prediction_id or "")).rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # released meanwhile
                count += path.stat().st_size if path.is_file() else 0
        return count

    def release(self, prediction_id: str) -> None:
        """Delete the fetched files of a prediction. Uploaded files stay."""
        for token in self._tokens.pop(prediction_id, {}).values():
            del self._by_token[token]
        shutil.rmtree(self._folder / prediction_id, ignore_errors=True)

    async def _get(self, url: str, folder: Path) -> _InputFile:
        if upload := self._files.by_url(url):
            return _InputFile(upload.path, upload.name)
        if url.startswith(f"{self._files.base}/v1/files/"):
            raise InputFailed(f"could not download {url}: there is no such file, or it has expired")
        folder.mkdir(exist_ok=True)
        path = folder / secrets.token_hex(4)
        await _in_thread(lambda stop: self._download(url, path, stop))
        return _InputFile(path, _name_in(url))

    def _download(self, url: str, path: Path, stop: threading.Event) -> None:
        try:
            with path.open("wb") as file:
                answer = self._fetcher.download(url, cast("BinaryIO", _Stoppable(file, stop)))
        except FetchError as error:
            raise InputFailed(f"could not download {url}: {error}") from error
        except OSError:
            path.unlink(missing_ok=True)
            raise
        if not 200 <= answer.status < 300:
            phrase = _phrase(answer.status)
            raise InputFailed(f"could not download {url}: {answer.status}{phrase}")


class _Stoppable:
    """A file that refuses to be written once an event is set."""

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
    """Whether the input has files to fetch."""
    return bool(_remote(document, given))


def host_of(document: dict[str, Any], given: dict[str, Any]) -> str:
    """The host and port of the first file to fetch; "" if there is none."""
    urls = _remote(document, given)
    return urls[0].lower().split("/")[2] if urls else ""


async def _in_thread(work: Callable[[threading.Event], None]) -> None:
    """Run `work` in a daemon thread. Cancelling sets the event that it receives."""
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
        except BaseException as raised:  # noqa: BLE001 - raised again for the caller
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=run, name="download", daemon=True).start()
    try:
        await done
    finally:
        stop.set()


def _name_in(url: str) -> str:
    """The last segment of the URL's path. Of a long one the end is kept, for its suffix."""
    name = unquote(urlsplit(url).path).rpartition("/")[2].replace("\0", "").replace("\\", "_")
    return name.strip(". ")[-_MAX_NAME:] or "file"


def _phrase(status: int) -> str:
    try:
        return f" {http.HTTPStatus(status).phrase}"
    except ValueError:
        return ""

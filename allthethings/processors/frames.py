"""A picture of a video: its first frame on which something can be seen.

Only the beginning of the file is downloaded, and its index where that stands at the end. OpenCV,
with the decoders of FFmpeg, reads it in the sandbox.
"""

from __future__ import annotations

import io
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from allthethings.assets.facts import Picture
from allthethings.errors import UnusableThing
from allthethings.processors.sandbox import Crashed, Starved, run_within
from allthethings.processors.tags import Look, Sparse
from allthethings.sources.fetch import Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

# Settings of OpenCV and FFmpeg that keep them from writing about damaged files to the log.
QUIET = (("OPENCV_LOG_LEVEL", "SILENT"), ("OPENCV_FFMPEG_LOGLEVEL", "-8"))
# Bytes of each part that is downloaded, parts in all, and seconds of downloading after which no
# further one is asked for: a person may wait for it.
PART = 512 * 1024
MAX_PARTS = 12
SECONDS = 3.0
# CPU seconds to decode what was downloaded, and those after which the best frame so far is taken.
READ_SECONDS, ENOUGH = 4, 2.0
# Pixels of the largest frames that are decoded: 8K.
MAX_PIXELS = 7_680 * 4_320
# Frames from one that is looked at to the next.
STEP = 12
# The standard deviation of the brightness, of 0 to 255, from which a frame shows something, and
# below which it is one colour.
TELLING, PLAIN = 24.0, 4.0


def frame_of(look: Look) -> Picture | None:
    """A small picture of a video; None where none can be made of the parts that can be had."""
    parts: dict[int, bytes] = {}
    size, spent, missing, best = 0, 0.0, 0, None
    while len(parts) < MAX_PARTS and spent < SECONDS:
        began = time.monotonic()
        part = _part(look, missing)
        spent += time.monotonic() - began
        if part is None:
            break
        parts[missing] = part.body
        size = size or (part.size if part.partial and part.size else len(part.body))
        try:
            found = run_within(READ_SECONDS, read, size, parts)
        except (Starved, Crashed, TimeoutError, MemoryError, ChildProcessError) as error:
            log.warning("no frame of a video: %r", error)
            break
        best = found.picture or best
        if found.telling or found.missing is None:
            break
        missing = found.missing
    return best


def _part(look: Look, start: int) -> Part | None:
    try:
        part = look(start, PART)
    except UnusableThing as error:
        log.info("no more of a video: %s", error)
        return None
    return part if part.body else None


@dataclass(frozen=True)
class Found:
    """The best frame of some parts of a video, whether it shows something, and the first byte that
    was missing, if any."""

    picture: Picture | None
    telling: bool
    missing: int | None


def read(size: int, parts: Mapping[int, bytes]) -> Found:
    """What can be seen in the parts of a file of that size. Runs in the sandbox."""
    for name, value in QUIET:
        os.putenv(name, value)
    import cv2

    cv2.setNumThreads(0)
    file = Sparse(size, parts)
    stream: Any = _Stream(file)
    video = cv2.VideoCapture(stream, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    wide, high = (video.get(each) for each in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    if not 0 < wide * high <= MAX_PIXELS:
        return Found(None, False, file.missing)
    best, most, number = None, PLAIN, 0
    while most < TELLING and time.process_time() < ENOUGH and video.grab():
        number += 1
        if number % STEP == 1:
            shown, frame = video.retrieve()
            contrast = float(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY).std()) if shown else 0.0
            if contrast > most:
                best, most = frame.copy(), contrast
    return Found(_picture(best), most >= TELLING, file.missing)


def _picture(frame: NDArray[Any] | None) -> Picture | None:
    from PIL import Image

    from allthethings.processors.thumbnails import small

    return None if frame is None else small(Image.fromarray(frame[:, :, ::-1]))


class _Stream(io.BufferedIOBase):
    """A file as OpenCV takes one."""

    def __init__(self, file: Sparse) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, count: int | None = -1, /) -> bytes:
        return self._file.read(count)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

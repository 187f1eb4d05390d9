"""The picture of a video, from parts of its file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from allthethings.errors import UnusableThing
from allthethings.processors import frames
from allthethings.sources.fetch import Part
from tests.allthethings.processors.kinds import EXAMPLES

SIZE = (320, 180)
# Frames that are black before something can be seen.
BLACK = 40


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files here are small too."""
    monkeypatch.setattr(frames, "PART", 16 * 1024)


def video(
    folder: Path, name: str, codec: str, black: int = BLACK, flags: str | None = None
) -> bytes:
    """A film that is black at first and shows coloured fields then, which move."""
    path = folder / name
    fields = np.random.default_rng(1).integers(0, 255, (9, 16, 3), dtype=np.uint8)
    shown = np.kron(fields, np.ones((SIZE[1] // 9, SIZE[0] // 16, 1), dtype=np.uint8))
    with av.open(str(path), "w", options={"movflags": flags} if flags else {}) as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in range(100):
            image = np.zeros_like(shown) if number < black else np.roll(shown, number * 4, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path.read_bytes()


class Server:
    """Sends parts of a file, if it does, and knows which were asked for."""

    def __init__(self, body: bytes, *, partial: bool = True) -> None:
        self._body = body
        self._partial = partial
        self.asked: list[int] = []

    def __call__(self, start: int, count: int) -> Part:
        self.asked.append(start)
        if start and not self._partial:
            raise UnusableThing("The server sends no parts of this file.")
        return Part(self._body[start : start + count], len(self._body), self._partial)


def colours(look: Server) -> Sequence[float]:
    """How bright the picture is on the whole, and how much that differs from place to place."""
    found = frames.frame_of(look)
    assert found is not None
    with Image.open(io.BytesIO(found.file)) as picture:
        assert (picture.format, picture.size) == ("WEBP", (found.width, found.height))
        grey = np.asarray(picture.convert("L"))
    return float(grey.mean()), float(grey.std())


@pytest.mark.parametrize(
    ("name", "codec", "flags"),
    [
        ("end.mp4", "libx264", None),
        ("begin.mp4", "libx264", "faststart"),
        ("film.mov", "mpeg4", None),
        ("film.webm", "libvpx-vp9", None),
        ("film.mkv", "libx264", None),
        ("film.avi", "mpeg4", None),
        ("film.mpg", "mpeg2video", None),
    ],
)
def test_the_first_frame_that_is_not_black(
    tmp_path: Path, name: str, codec: str, flags: str | None
) -> None:
    server = Server(video(tmp_path, name, codec, flags=flags))
    mean, spread = colours(server)
    assert 60 < mean < 200
    assert spread > frames.TELLING


def test_the_index_at_the_end_is_downloaded_and_not_the_middle(tmp_path: Path) -> None:
    body = video(tmp_path, "end.mov", "mjpeg", black=0)
    index = body.index(b"moov") - 4
    server = Server(body)
    assert frames.frame_of(server) is not None
    assert server.asked[:2] == [0, index]
    assert len(server.asked) * frames.PART < len(body) / 2


def test_a_video_that_is_black_has_none(tmp_path: Path) -> None:
    assert frames.frame_of(Server(video(tmp_path, "dark.webm", "libvpx-vp9", black=100))) is None


def test_a_server_without_parts_sends_the_beginning(tmp_path: Path) -> None:
    server = Server(video(tmp_path, "a.webm", "libvpx-vp9", black=0), partial=False)
    assert frames.frame_of(server) is not None


def test_the_example_has_a_picture() -> None:
    assert frames.frame_of(Server((EXAMPLES / "eclipse.webm").read_bytes())) is not None


@pytest.mark.parametrize("body", [b"", b"\x00" * 50_000, b"RIFF\x24\x00\x00\x00AVI LIST" * 3_000])
def test_what_cannot_be_decoded_has_none(body: bytes) -> None:
    server = Server(body)
    assert frames.frame_of(server) is None
    assert len(server.asked) <= frames.MAX_PARTS

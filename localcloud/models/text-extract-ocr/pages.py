"""Decodes pictures into pages of bounded size: the sizes of strangers' files are their own."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pi_heif import register_heif_opener
from PIL import Image, ImageOps, ImageStat

# Pixels of the largest picture. Its decoder needs four bytes for each of them.
MAX_PIXELS = 120_000_000
# Pages of a TIFF file, and pixels that are read of all of them together.
MAX_PAGES = 100
# Pixels by which a page is made smaller for reading: its width, and its width times its height.
# Letters of 8 points on a page of A4 are then 20 pixels tall, and a page takes seconds.
READ_WIDTH = 1_600
READ_PIXELS = 16_000_000

# The allowed formats. Others run programs (EPS), open further files, or are rare.
FORMATS = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "PNG", "TIFF", "WEBP")

Pixels = NDArray[np.uint8]

register_heif_opener()


class PictureError(Exception):
    """The file cannot be read. The message is for the person who submitted it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The picture could not be read: {reason}")


def pages(path: Path) -> Iterator[Pixels]:
    """The pages of a TIFF file, or the one picture of another, upright and small enough to be
    read: arrays of shape (height, width, 3), blue first. Raises PictureError."""
    Image.MAX_IMAGE_PIXELS = None  # _check names our own limit
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=FORMATS) as image:
            count = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
            if count > MAX_PAGES:
                raise PictureError(f"it has {count:,} pages, more than {MAX_PAGES}.")
            for number in range(count):
                image.seek(number)
                yield _page(image)
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError("it takes too much memory.") from error
    except Exception as error:
        raise PictureError("it is damaged, or not a picture of a known format.") from error


def _page(image: Image.Image) -> Pixels:
    if image.width * image.height > MAX_PIXELS:
        raise PictureError(
            f"it has {image.width:,} by {image.height:,} pixels; "
            f"{MAX_PIXELS // 1_000_000} million in all work."
        )
    width, height = _read_size(image.width, image.height)
    image.draft("RGB", (width, height))  # JPEG is decoded small
    page = _eight_bits(image)
    if width < page.width:
        page = page.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.ascontiguousarray(np.asarray(_opaque(_upright(page)))[:, :, ::-1])


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF says."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - damaged EXIF, which is no damage to the picture
        return image


def _read_size(width: int, height: int) -> tuple[int, int]:
    """The size at which a picture is read: its own, if that is not too large."""
    narrow = min(width, height)  # which becomes the width if it lies on its side
    share = min(1.0, READ_WIDTH / narrow, (READ_PIXELS / (width * height)) ** 0.5)
    return max(1, round(width * share)), max(1, round(height * share))


def _eight_bits(image: Image.Image) -> Image.Image:
    """A picture of eight bits a channel: L, RGB or RGBA."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        values = np.nan_to_num(np.asarray(image, np.float32))
        low, high = float(values.min()), float(values.max())
        return Image.fromarray(((values - low) * (255 / max(high - low, 1e-9))).astype(np.uint8))
    if image.mode in ("L", "RGB", "RGBA"):
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _opaque(image: Image.Image) -> Image.Image:
    """On black if what can be seen is light, else on white."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    alpha = image.getchannel("A")
    seen = ImageStat.Stat(image.convert("L"), alpha.point(lambda value: value and 255))
    light = bool(seen.count[0]) and seen.mean[0] > 127
    back = Image.new(
        "RGB", image.size, "black" if light and alpha.getextrema()[0] == 0 else "white"
    )
    back.paste(image, mask=alpha)
    return back

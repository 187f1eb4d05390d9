"""Small pictures of strangers' pictures. All of it runs in the sandbox."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from typing import TYPE_CHECKING

from allthethings.assets.facts import Facts, Picture, day_of
from allthethings.sources.markup import MAX_TITLE

if TYPE_CHECKING:
    from PIL.Image import Image

# Modules to import before a small picture is asked for.
PRELOAD = ("PIL.Image", "pi_heif")
# Pixels of the largest picture that is decoded, which takes four bytes for each.
MAX_PIXELS = 120_000_000
# Pixels of the longer side of a small picture, and the most bytes that it has as a file.
SIDE = 480
MAX_BYTES = 20_000
# The shares of SIDE and the qualities of WebP that are tried until a small picture is small enough.
TRIES = ((1.0, 75), (1.0, 50), (0.7, 50), (0.5, 30), (0.25, 10))
FORMATS = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "PNG", "TIFF", "WEBP")

# Tags of EXIF (CIPA DC-008, 4.6): its directory, what is told, by whom, and when it was taken.
EXIF_IFD, DESCRIPTION, ARTIST, TAKEN = 0x8769, 0x010E, 0x013B, 0x9003
# Descriptions that cameras write by themselves.
NO_TITLE = re.compile(r"(?i).*(?:digital camera|default|untitled).*|samsung|sony dsc|screenshot")


def look(body: bytes) -> Facts:
    """What a picture file tells of itself, and a small picture of it. Raises ValueError where it
    cannot be decoded."""
    from pi_heif import register_heif_opener
    from PIL import Image

    register_heif_opener()
    Image.MAX_IMAGE_PIXELS = None  # `small` has a limit of its own
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(body), formats=FORMATS) as image,
        ):
            title, author, dated = _told(image)
            return Facts(title, author, dated, picture=small(image))
    except MemoryError:
        raise
    except Exception as error:  # a decoder of what strangers wrote: anything may come
        raise ValueError(f"the picture cannot be decoded: {error!r}") from error


def small(image: Image) -> Picture | None:
    """A small picture of this one; None for one that is too large."""
    if image.width * image.height > MAX_PIXELS:
        return None
    image.draft("RGB", (SIDE, SIDE))  # JPEG is decoded small
    small = image if image.mode in ("L", "RGB", "RGBA") else _converted(image)
    small.thumbnail((SIDE, SIDE), reducing_gap=2.0)
    small = _upright(small)
    for share, quality in TRIES:
        size = (max(1, round(small.width * share)), max(1, round(small.height * share)))
        file = io.BytesIO()
        small.resize(size).save(file, "WEBP", quality=quality, exif=b"")
        if file.tell() <= MAX_BYTES:
            return Picture(file.getvalue(), *size)
    return None


def _upright(image: Image) -> Image:
    """Turned as its EXIF says."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - damaged EXIF, which is no damage to the picture
        return image


def _converted(image: Image) -> Image:
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value / 256).convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _told(image: Image) -> tuple[str | None, str | None, str | None]:
    """The title, the author and the day, of EXIF or of a PNG's text."""
    title, author = image.info.get("Title"), image.info.get("Author")
    taken = None
    with contextlib.suppress(Exception):  # damaged EXIF, which is no damage to the picture
        exif = image.getexif()
        title, author = exif.get(DESCRIPTION) or title, exif.get(ARTIST) or author
        taken = exif.get_ifd(EXIF_IFD).get(TAKEN)
    title = _line(title)
    day = day_of(str(taken or "").replace(":", "-", 2))
    return None if NO_TITLE.fullmatch(title or "") else title, _line(author), day


def _line(told: object) -> str | None:
    """A text of a tag in one line; None for what is no readable text."""
    words = " ".join(str(told or "").replace("\0", " ").split())[:MAX_TITLE].strip()
    return words if words.isprintable() and words else None

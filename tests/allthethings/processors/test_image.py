from __future__ import annotations

import io
import zlib
from typing import Any

import pytest
from PIL import Image

from allthethings.assets.facts import Facts
from allthethings.assets.locators import Lines, Page
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors.image import ImageProcessor
from allthethings.processors.thumbnails import MAX_BYTES, MAX_PIXELS, SIDE, look
from tests.allthethings.processors.kinds import tools

EXIF_IFD, ORIENTATION, DESCRIPTION, ARTIST, TAKEN = 0x8769, 0x0112, 0x010E, 0x013B, 0x9003


def picture(
    size: tuple[int, int] = (900, 600), mode: str = "RGB", form: str = "PNG", **options: Any
) -> bytes:
    """A picture whose left half is dark."""
    image = Image.new("RGB", size, "white")
    image.paste("black", (0, 0, size[0] // 2, size[1]))
    file = io.BytesIO()
    image.convert(mode).save(file, form, **options)
    return file.getvalue()


def opened(body: bytes) -> Image.Image:
    """The small picture."""
    small = look(body).picture
    assert small
    assert len(small.file) <= MAX_BYTES
    image = Image.open(io.BytesIO(small.file))
    assert image.format == "WEBP"
    assert image.size == (small.width, small.height)
    return image.convert("L")


# -- the text


def test_paragraphs_become_pieces_with_their_lines() -> None:
    content = ImageProcessor(tools()).read("A title\n\nA sentence that goes\non.\n\n\nThe end.\n\f")
    assert [(piece.text, piece.locator) for piece in content.pieces] == [
        ("A title", Lines(1, 1)),
        ("A sentence that goes on.", Lines(2, 3)),
        ("The end.", Lines(4, 4)),
    ]
    assert content.text == "A title\n\nA sentence that goes on.\n\nThe end."


def test_pages_are_told_where_there_are_several() -> None:
    content = ImageProcessor(tools()).read("One.\fTwo.\n\nTwo again.\f\fFour.")
    assert [piece.locator for piece in content.pieces] == [Page(1), Page(2), Page(2), Page(4)]


def test_divided_words_are_joined() -> None:
    content = ImageProcessor(tools()).read("The light-\nhouse of St.-\nMalo, 1823-\n1824")
    assert content.text == "The lighthouse of St.- Malo, 1823- 1824"


@pytest.mark.parametrize("output", ["", " \n\f\n"])
def test_a_picture_without_text_says_so(output: str) -> None:
    with pytest.raises(UnusableThing, match=r"has no text, .* \(CAPTION_VERSION\)") as caught:
        ImageProcessor(tools()).read(output)
    assert caught.value.code is ErrorCode.NO_TEXT_IN_IMAGE


@pytest.mark.parametrize(
    ("first", "content_type"),
    [
        (b"\x89PNG\r\n\x1a\n\x00", "image/png"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
        (b"RIFF\x24\x00\x0a\x00WEBPVP8 ", "image/webp"),
        (b"II*\x00\x08\x00\x00\x00", "image/tiff"),
        (b"MM\x00*\x00\x00\x00\x08", "image/tiff"),
        (b"\x00\x00\x00\x20ftypheic\x00\x00", "image/heic"),
        (b"\x00\x00\x00\x20ftypmif1\x00\x00", "image/heic"),
        (b"\x00\x00\x00\x20ftypavif\x00\x00", "image/avif"),
        (b"GIF89a\x01\x00", "image/gif"),
        (b"BM\x36\x00\x0c\x00\x00\x00\x00\x00\x36", "image/bmp"),
        (b"BM, the initials of a poet", None),
        (b"RIFF\x24\x00\x0a\x00WAVEfmt ", None),
        (b"\x00\x00\x00\x20ftypisom", None),
        (b"GIF is a format.", None),
        (b"<svg xmlns=", None),
    ],
)
def test_pictures_are_recognised(first: bytes, content_type: str | None) -> None:
    assert ImageProcessor.sniff(first) == content_type


# -- the small picture


@pytest.mark.parametrize(
    ("mode", "form"),
    [
        ("RGB", "PNG"),
        ("RGBA", "PNG"),
        ("P", "PNG"),
        ("1", "PNG"),
        ("I;16", "PNG"),
        ("L", "JPEG"),
        ("CMYK", "JPEG"),
        ("RGB", "WEBP"),
        ("RGB", "AVIF"),
        ("1", "TIFF"),
        ("CMYK", "TIFF"),
        ("P", "GIF"),
        ("RGB", "BMP"),
    ],
)
def test_a_small_picture_is_made_of_every_sort(mode: str, form: str) -> None:
    small = opened(picture(mode="L" if mode == "I;16" else mode, form=form))
    assert small.size == (SIDE, 320)
    assert small.getpixel((40, 100)) < 60  # type: ignore[operator]
    assert small.getpixel((SIDE - 40, 100)) > 195  # type: ignore[operator]


def test_sixteen_bits_become_eight() -> None:
    image = Image.new("I;16", (400, 100), 0xFFFF)
    image.paste(0x0100, (0, 0, 200, 100))
    file = io.BytesIO()
    image.save(file, "PNG")
    small = opened(file.getvalue())
    assert small.getpixel((50, 50)) < 60  # type: ignore[operator]
    assert small.getpixel((350, 50)) > 195  # type: ignore[operator]


def test_a_picture_that_lies_on_its_side_is_turned() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # the first column is the top
    small = opened(picture(form="JPEG", exif=exif))
    assert small.size == (320, SIDE)
    assert small.getpixel((160, 40)) < 60  # type: ignore[operator]
    assert small.getpixel((160, SIDE - 40)) > 195  # type: ignore[operator]


def test_a_small_picture_has_few_bytes_and_no_tags() -> None:
    exif = Image.Exif()
    exif[ARTIST] = "Somebody at home"
    file = io.BytesIO()
    Image.effect_noise((1200, 1200), 100).save(file, "JPEG", exif=exif)
    small = look(file.getvalue()).picture
    assert small
    assert len(small.file) <= MAX_BYTES
    assert b"Somebody" not in small.file


def test_what_a_photograph_tells_is_kept() -> None:
    exif = Image.Exif()
    exif[DESCRIPTION] = "A kiln\0 at  night"
    exif[ARTIST] = "Ada Potter"
    exif.get_ifd(EXIF_IFD)[TAKEN] = "2024:05:07 21:14:03"
    facts = look(picture(form="JPEG", exif=exif))
    assert (facts.title, facts.author, facts.dated) == (
        "A kiln at night",
        "Ada Potter",
        "2024-05-07",
    )


def test_what_a_camera_writes_by_itself_is_no_title() -> None:
    exif = Image.Exif()
    exif[DESCRIPTION] = "OLYMPUS DIGITAL CAMERA         "
    assert look(picture(form="JPEG", exif=exif)).title is None


def test_a_picture_with_too_many_pixels_is_not_decoded() -> None:
    body = bytearray(picture((100, 100), "1", "PNG"))
    body[16:24] = (20_000).to_bytes(4) + (MAX_PIXELS // 20_000 + 1).to_bytes(4)
    body[29:33] = zlib.crc32(body[12:29]).to_bytes(4)
    assert look(bytes(body)) == Facts()


@pytest.mark.parametrize(
    "body",
    [b"", b"\x89PNG\r\n\x1a\n", picture()[:200], b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg/>"],
    ids=["empty", "header", "cut", "eps", "svg"],
)
def test_what_cannot_be_decoded_has_no_picture(body: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be decoded"):
        look(body)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "JPEG"])
def test_damaged_exif_is_no_damage_to_the_picture(form: str) -> None:
    facts = look(picture(form=form, exif=b"Exif\0\0MZ\0*\0\0\0\x08\0\1"))
    assert facts.picture
    assert facts.title is None

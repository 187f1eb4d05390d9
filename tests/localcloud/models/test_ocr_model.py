"""The model that reads pictures, behind Cog's server, with its real weights."""

from __future__ import annotations

import base64
import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.localcloud.models.cogserver import CogServer
from tests.localcloud.models.modules import load
from tools.harness.cloud import ROOT

PICTURES = Path(__file__).parent / "pictures"
SENTENCE = "The potter fires the kiln with birch wood, because its flame is long"

pages = load("text-extract-ocr", "pages")
layout = load("text-extract-ocr", "layout")


def data_url(body: bytes) -> str:
    return f"data:application/octet-stream;base64,{base64.b64encode(body).decode()}"


def read(ocr: CogServer, file: Path) -> str:
    """The text of a picture in one line."""
    return " ".join(ocr.output(image=data_url(file.read_bytes())).split())


def written(*lines: str, turns: int = 0) -> bytes:
    """A picture of lines of text, turned to the left so many times."""
    image = Image.new("RGB", (1000, 60 + 50 * len(lines)), "white")
    font = ImageFont.load_default(26)
    for number, line in enumerate(lines):
        ImageDraw.Draw(image).text((30, 30 + 50 * number), line, "black", font)
    file = io.BytesIO()
    image.rotate(90 * turns, expand=True).save(file, "PNG")
    return file.getvalue()


def line(left: float, top: float, text: str, width: float = 0) -> Any:
    return layout.Line(left, top, left + (width or 10 * len(text)), top + 20, text)


# -- the text of pictures


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (ROOT / "examples" / "sundial.png", "Its shadow then creeps by the same angle in every"),
        (PICTURES / "libreoffice.png", "A pair needs about a square kilometre"),
        (PICTURES / "turned.jpg", "use the noon mark on the south wall."),
        (PICTURES / "notice.heic", "the earth hurries and dawdles on its way round."),
        (PICTURES / "terminal.webp", SENTENCE),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_the_text_of_pictures_of_several_makers(ocr: CogServer, file: Path, sentence: str) -> None:
    assert sentence in read(ocr, file)


def test_columns_are_read_one_after_the_other(ocr: CogServer) -> None:
    text = read(ocr, PICTURES / "columns.png")
    places = [
        text.index(words)
        for words in (
            "comes back to the moor",
            "did not regret it.",
            "rising and tumbling as if he were thrown.",
            "The female sits on the eggs",
            "in the valleys during the winter.",
        )
    ]
    assert places == sorted(places)


def test_the_pages_of_a_fax_are_divided_by_form_feeds(ocr: CogServer) -> None:
    text = ocr.output(image=data_url((PICTURES / "fax.tiff").read_bytes()))
    first, second = text.split("\f")
    assert "fast in the middle and slowly along" in " ".join(first.split())
    assert "fast in the middle" not in second
    assert len(second.split()) > 50


@pytest.mark.parametrize(
    "turns", [1, pytest.param(2, marks=pytest.mark.slow("seven seconds; one turn stands for all"))]
)
def test_a_page_that_lies_on_its_side_or_its_head_is_turned(ocr: CogServer, turns: int) -> None:
    lines = (SENTENCE, "and leaves little ash on the glaze.", "Then the cone bends.")
    assert ocr.output(image=data_url(written(*lines, turns=turns))).split("\n") == list(lines)


def test_a_picture_without_text_has_none(ocr: CogServer) -> None:
    file = io.BytesIO()
    Image.linear_gradient("L").save(file, "JPEG")
    assert ocr.output(image=data_url(file.getvalue())) == ""


@pytest.mark.parametrize(
    "body",
    [b"", b"no picture", written("cut")[:300], b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg/>"],
    ids=["empty", "text", "cut", "eps", "svg"],
)
def test_what_is_no_picture_is_refused_in_words(ocr: CogServer, body: bytes) -> None:
    reason = "it is damaged, or not a picture of a known format."
    assert ocr.error(image=data_url(body)).endswith(f"The picture could not be read: {reason}")


# -- pages of bounded size


def sizes(folder: Path, size: tuple[int, int], form: str, **options: Any) -> list[tuple[int, ...]]:
    file = folder / "picture"
    Image.new("L", size, 200).save(file, form, **options)
    return [page.shape for page in pages.pages(file)]


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((900, 500), (500, 900, 3)),
        ((1_200, 12_000), (12_000, 1_200, 3)),  # a picture of a whole web page
        ((2_480, 3_508), (2_263, 1_600, 3)),  # A4 at 300 dots an inch
        ((6_000, 4_000), (1_600, 2_400, 3)),
    ],
)
def test_a_page_is_read_at_a_bounded_size(
    tmp_path: Path, size: tuple[int, int], shape: tuple[int, ...]
) -> None:
    assert sizes(tmp_path, size, "PNG") == [shape]


def test_a_picture_with_too_many_pixels_is_refused(tmp_path: Path) -> None:
    body = bytearray(written("A bomb."))
    body[16:24] = (100_000).to_bytes(4) * 2
    body[29:33] = zlib.crc32(body[12:29]).to_bytes(4)
    (tmp_path / "bomb").write_bytes(body)
    with pytest.raises(pages.PictureError, match="has 100,000 by 100,000 pixels; 120 million"):
        list(pages.pages(tmp_path / "bomb"))


def test_a_fax_with_too_many_pages_is_refused(tmp_path: Path) -> None:
    more = [Image.new("1", (8, 8))] * pages.MAX_PAGES
    with pytest.raises(pages.PictureError, match="has 101 pages, more than 100"):
        sizes(tmp_path, (8, 8), "TIFF", save_all=True, append_images=more)


def test_damaged_exif_is_no_damage_to_the_picture(tmp_path: Path) -> None:
    damaged = b"Exif\0\0MZ\0*\0\0\0\x08\0\1"
    assert sizes(tmp_path, (60, 40), "WEBP", exif=damaged) == [(40, 60, 3)]


@pytest.mark.parametrize("ink", ["black", "white"])
def test_what_is_transparent_differs_from_the_letters(tmp_path: Path, ink: str) -> None:
    image = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    image.paste(ink, (20, 20, 60, 60))
    image.save(tmp_path / "logo.png")
    page = next(pages.pages(tmp_path / "logo.png"))
    assert abs(int(page[40, 40, 0]) - int(page[90, 90, 0])) == 255


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    Image.fromarray(np.full((50, 50), 0x8000, np.uint16)).save(tmp_path / "deep.png")
    assert next(pages.pages(tmp_path / "deep.png"))[0, 0, 0] == 0x80


# -- the order of reading


def test_lines_of_two_columns_are_read_column_by_column() -> None:
    lines = [line(0, 0, "A heading over both of the columns", 600)]
    for row in range(4):
        lines.append(line(330, 40 + 24 * row, f"right column row {row}", 270))
        lines.append(line(0, 40 + 24 * row, f"left column row {row}", 270))
    lines.append(line(0, 200, "A foot under both of the columns", 600))
    parts = layout.text_of(lines).split("\n\n")
    assert [part.split("\n")[0] for part in parts] == [
        "A heading over both of the columns",
        "left column row 0",
        "right column row 0",
        "A foot under both of the columns",
    ]


def test_a_table_is_read_row_by_row() -> None:
    lines = [line(x, 24 * row, f"{x}/{row}") for x in (0, 200, 400) for row in range(4)]
    assert layout.text_of(lines).split("\n") == [f"0/{row} 200/{row} 400/{row}" for row in range(4)]


def test_a_wide_gap_begins_a_paragraph() -> None:
    lines = [line(0, top, f"Line at {top}.", 300) for top in (0, 24, 48, 100, 124)]
    assert (
        layout.text_of(lines)
        == "Line at 0.\nLine at 24.\nLine at 48.\n\nLine at 100.\nLine at 124."
    )


def test_nothing_is_no_text() -> None:
    assert layout.text_of([]) == ""

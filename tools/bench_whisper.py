"""The local Whisper beside faster-whisper's own `transcribe`: part of `make bench`.

    python -m tools.bench_whisper [quick]

Both read the same ten minutes of the examples' recordings (`quick`: one), with the same weights and
threads. They take turns, twice, and the better time of each counts. The share of the words that
both have tells that neither leaves something out.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from faster_whisper import WhisperModel

from localcloud.weights import cache
from tools.bench_ingest import recording
from tools.harness.models import module_of

MINUTES, QUICK_MINUTES = 10, 1
TURNS = 2


def plain(folder: str, path: Path) -> Callable[[], str]:
    threads = os.cpu_count() or 1
    model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=threads)

    def read() -> str:
        segments, _about = model.transcribe(str(path))
        return " ".join(segment.text for segment in segments)

    return read


def ours(folder: str, path: Path) -> Callable[[], str]:
    audio, transcriber = (module_of("whisper", name) for name in ("audio", "transcriber"))
    model = transcriber.Transcriber(folder)

    def read() -> str:
        pieces = audio.Recording(path).pieces()
        _language, segments = model.transcribe(pieces, transcriber.Task(), lambda _seconds: None)
        return " ".join(segment["text"] for segment in segments)

    return read


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def main(asked: Sequence[str]) -> int:
    minutes = QUICK_MINUTES if "quick" in asked else MINUTES
    folder = str(cache.ensure("whisper"))
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        path = Path(place) / "speech.wav"
        recording(path, minutes)
        readers = {"local": ours(folder, path), "faster-whisper": plain(folder, path)}
        took: dict[str, float] = dict.fromkeys(readers, float("inf"))
        told: dict[str, str] = {}
        for name, read in [*readers.items()] * TURNS:
            began = time.perf_counter()
            told[name] = read()
            took[name] = min(took[name], time.perf_counter() - began)
    print("| reads | it takes | times real time | words |\n|---|---|---|---|")
    for name, seconds in took.items():
        speed, count = minutes * 60 / seconds, len(words(told[name]))
        print(f"| {minutes} minutes, {name} | {seconds:.1f} s | {speed:.1f} | {count:,} |")
    one, other = (Counter(words(text)) for text in told.values())
    alike = 2 * (one & other).total() / (one + other).total()
    print(f"words that both have: {alike:.1%}; load: {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

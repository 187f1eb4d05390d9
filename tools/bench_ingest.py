"""How long the app takes to index, against its models alone: part of `make bench`.

    python -m tools.bench_ingest [quick] [articles] [pages] [speech]

Three parts, all of them where none is named: the articles of XQuAD (or, without it, pages of
sentences from the examples), pages of one short passage, and a recording of speech. Each is
indexed by a copy of everything and timed from the submission to the last SEARCHABLE. Before and
after it the same work is done by the bare model in this process, as one call with all texts; the
ratio of the two times says what the app adds. `quick` does a part of the work.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from localcloud.weights import cache
from tools.bench_imports import cpu_of, page, tell
from tools.harness.cloud import ROOT, Cloud, running_cloud
from tools.harness.indexing import index_all
from tools.harness.models import module_of
from tools.harness.person import Person
from tools.harness.site import Page, Site, running_site
from tools.harness.xquad import DATA, Article, read

PARTS = ("articles", "pages", "speech")
# Pages of one passage, and minutes of speech: in full, and where it is to be quick.
PAGES, QUICK_PAGES = 1_000, 100
MINUTES, QUICK_MINUTES = 60, 4
ARTICLES, QUICK_ARTICLES = 48, 10
# What a processor may have that makes models faster.
FEATURES = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
SAMPLE_RATE = 16_000


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def compare(cloud: Cloud, name: str, bare: Callable[[], object], app: Callable[[], object]) -> None:
    """Print the times of both, the bare model's as the mean of one run before and one after."""
    before = timed(bare)
    spent = cpu_of(cloud)
    took = timed(app)
    after_app = cpu_of(cloud)
    alone = (before + timed(bare)) / 2
    load = os.getloadavg()[0]
    print(
        f"| {name} | {took:.1f} s | {alone:.1f} s | {took / alone:.2f} | {load:.1f} |", flush=True
    )
    tell(spent, after_app)


def index(cloud: Cloud, urls: Sequence[str]) -> None:
    """Submit all URLs at once, and wait until each is searchable."""
    person = Person(cloud)
    counts = index_all(person, urls, lambda: cpu_of(cloud))
    person.http.close()
    if failed := {name: many for name, many in counts.items() if "ERROR" in name and many}:
        sys.exit(f"not all pages became searchable: {failed}")


def sentences() -> list[str]:
    texts = sorted((ROOT / "examples" / "texts").glob("*.txt"))
    return [each for text in texts for each in text.read_text("utf-8").split(". ") if each.strip()]


def articles(count: int) -> list[Article]:
    """XQuAD's articles, or as many like them."""
    if DATA.exists():
        return read(DATA)[0][:count]
    draw = random.Random(6)  # noqa: S311
    known = sentences()
    return [
        Article(number, [". ".join(draw.choices(known, k=6)) for _ in range(5)])
        for number in range(count)
    ]


def pages(count: int) -> list[Article]:
    """Pages of one passage of some three sentences."""
    draw = random.Random(7)  # noqa: S311
    known = sentences()
    return [Article(number, [". ".join(draw.choices(known, k=3))]) for number in range(count)]


def embed_all(cloud: Cloud, site: Site, name: str, things: Sequence[Article], model: Any) -> None:
    prefix = name.replace(" ", "-")
    urls = [site.add(f"/{prefix}{each.path}", each.page()) for each in things]
    texts = [text for each in things for text in each.paragraphs]
    compare(cloud, name, lambda: model.embed(texts), lambda: index(cloud, urls))


def recording(path: Path, minutes: float) -> None:
    """Write the recordings of the examples, one after the other, until it is that long."""
    audio = module_of("whisper", "audio")
    spoken = [
        piece.samples
        for source in sorted((ROOT / "examples").glob("*.mp3"))
        for piece in audio.Recording(source).pieces()
    ]
    sound = np.concatenate(spoken)
    sound = np.resize(sound, int(minutes * 60 * SAMPLE_RATE))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((sound * 32767).astype("<i2").tobytes())


def transcribe(cloud: Cloud, site: Site, folder: Path, minutes: int) -> None:
    path = folder / "speech.wav"
    recording(path, minutes)
    audio, transcriber = (module_of("whisper", name) for name in ("audio", "transcriber"))
    model = transcriber.Transcriber(str(cache.ensure("whisper")))

    def alone() -> None:
        pieces = audio.Recording(path).pieces()
        model.transcribe(pieces, transcriber.Task(), lambda _seconds: None)

    url = site.add("/speech.wav", Page(path.read_bytes(), "audio/wav"))
    compare(cloud, f"{minutes} minutes of speech", alone, lambda: index(cloud, [url]))


def main(words: Sequence[str]) -> int:
    quick = "quick" in words
    chosen = [part for part in PARTS if part in words] or PARTS
    flags = Path("/proc/cpuinfo").read_text().split()
    print(f"{os.cpu_count()} processors; {' '.join(f for f in FEATURES if f in flags)}")
    print("| what | app | model alone | ratio | load |\n|---|---|---|---|---|", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running_site() as site,
        running_cloud(Path(folder) / "var", {"EXAMPLES": "0", "FETCH_ALLOW": "127.0.0.1"}) as cloud,
    ):
        index(cloud, [site.add("/first", page(1))])  # readers and models are loaded once
        if "articles" in chosen or "pages" in chosen:
            embedder = module_of("all-mpnet-base-v2", "embedder")
            model = embedder.Embedder(cache.ensure("all-mpnet-base-v2"))
        if "articles" in chosen:
            things = articles(QUICK_ARTICLES if quick else ARTICLES)
            embed_all(cloud, site, f"{len(things)} articles", things, model)
        if "pages" in chosen:
            things = pages(QUICK_PAGES if quick else PAGES)
            embed_all(cloud, site, f"{len(things)} short pages", things, model)
        if "speech" in chosen:
            transcribe(cloud, site, Path(folder), QUICK_MINUTES if quick else MINUTES)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

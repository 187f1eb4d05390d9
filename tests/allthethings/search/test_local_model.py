"""The embedding model in this process: a folder with a tiny one stands for the real one."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from allthethings.errors import ServiceUnavailable
from allthethings.search import local_model
from allthethings.search.local_model import LocalModel
from tools.harness.waiting import wait_for

TINY = """
import threading
import numpy as np
import parts

class Embedder:
    def __init__(self, weights):
        (weights / "loaded").write_text("x" + (weights / "loaded").read_text())
        while (weights / "slow").exists():
            threading.Event().wait(0.01)
        self.busy = False

    def embed(self, texts):
        assert not self.busy
        self.busy = True
        threading.Event().wait(0.001)
        self.busy = False
        return np.array([parts.vector(text) for text in texts], np.float32)
"""
PARTS = "def vector(text): return [float(len(text)), 0.5]\n"


class Cloud:
    """In the place of Replicate."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        self.asked.append(texts)
        return [[-1.0, -1.0] for _ in texts]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Cog folder whose modules are forgotten after the test."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("embedder", "parts"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "embedder.py").write_text(TINY)
    (tmp_path / "parts.py").write_text(PARTS)
    (tmp_path / "loaded").write_text("")
    return tmp_path


@pytest.fixture(autouse=True)
def forgotten() -> object:
    yield
    for name in ("embedder", "parts"):
        sys.modules.pop(name, None)
    return None


def test_queries_go_elsewhere_until_it_is_loaded(folder: Path) -> None:
    cloud = Cloud()
    (folder / "slow").touch()
    model = LocalModel(folder, folder, cloud.embed)
    assert not cloud.asked
    assert model.embed(["ab"]) == [[-1.0, -1.0]]
    assert model.embed(["abc"]) == [[-1.0, -1.0]]
    (folder / "slow").unlink()
    model.load().join(20)
    assert model.embed(["ab", "abcd"]) == [[2.0, 0.5], [4.0, 0.5]]
    assert cloud.asked == [["ab"], ["abc"]]


def test_it_is_loaded_once_and_serves_one_at_a_time(folder: Path) -> None:
    model = LocalModel(folder, folder, Cloud().embed)
    with ThreadPoolExecutor(8) as threads:
        loading = set(threads.map(lambda _: model.load(), range(32)))
        [thread] = loading
        thread.join(20)
        texts = [["x" * number] for number in range(60)]
        vectors = list(threads.map(model.embed, texts))
    assert vectors == [[[float(number), 0.5]] for number in range(60)]
    assert (folder / "loaded").read_text() == "x"


@pytest.mark.parametrize(
    "broken", ["raise OSError('no such library')", "def Embedder(weights): raise ValueError", "x"]
)
def test_a_model_that_cannot_be_loaded_leaves_the_queries_to_replicate(
    folder: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "embedder.py").write_text(broken)
    cloud = Cloud()
    model = LocalModel(folder, folder, cloud.embed)
    model.load().join(20)
    assert model.embed(["ab"]) == model.embed(["ab"]) == [[-1.0, -1.0]]
    assert len(cloud.asked) == 2
    assert caplog.text.count("the local embedding model cannot be loaded") == 1


def test_a_query_that_it_fails_at_goes_to_replicate(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fails = "def vector(text):\n    if text == 'ab': raise RuntimeError('no memory')\n"
    (folder / "parts.py").write_text(f"{fails}    return [float(len(text)), 0.5]\n")
    model = LocalModel(folder, folder, Cloud().embed)
    model.load().join(20)
    assert model.embed(["ab"]) == [[-1.0, -1.0]]
    assert model.embed(["abc"]) == [[3.0, 0.5]]
    assert "no memory" in caplog.text


def test_what_the_other_raises_is_raised_while_it_loads(folder: Path) -> None:
    (folder / "slow").touch()

    def away(_texts: Sequence[str]) -> Sequence[Sequence[float]]:
        raise ServiceUnavailable("Replicate", "no answer")

    model = LocalModel(folder, folder, away)
    with pytest.raises(ServiceUnavailable):
        model.embed(["ab"])
    (folder / "slow").unlink()
    model.load().join(20)
    assert model.embed(["ab"]) == [[2.0, 0.5]]


def test_a_prepared_one_embeds_the_first_query(folder: Path) -> None:
    cloud = Cloud()
    model = LocalModel(folder, folder, cloud.embed)
    model.prepare()
    assert model.embed(["ab"]) == [[2.0, 0.5]]
    assert not cloud.asked


def test_it_is_not_loaded_before_it_is_wanted(folder: Path) -> None:
    LocalModel(folder, folder, Cloud().embed)
    assert (folder / "loaded").read_text() == ""
    assert not [thread for thread in threading.enumerate() if thread.name == "model"]


WATCHED = """
import threading
began, go_on, order = threading.Event(), threading.Event(), []

def vector(text):
    order.append(text)
    if text == "first":
        began.set()
        assert go_on.wait(20)
    return [float(len(text)), 0.5]
"""


def test_a_query_goes_before_what_nobody_waits_for(folder: Path) -> None:
    (folder / "parts.py").write_text(WATCHED)
    model = LocalModel(folder, folder, Cloud().embed)
    model.load().join(20)
    watched = sys.modules["parts"]
    with ThreadPoolExecutor() as threads:
        aside = threads.submit(model.embed_aside, ["first", "second", "third", "fourth"])
        assert watched.began.wait(20)
        query = threads.submit(model.embed, ["query"])
        wait_for(lambda: model._queries, "the query to wait", pause=0.001)
        watched.go_on.set()
        assert query.result(20) == [[5.0, 0.5]]
        assert [vector[0] for vector in aside.result(20) or ()] == [5.0, 6.0, 5.0, 6.0]
    assert watched.order == ["first", "second", "query", "third", "fourth"]


def test_what_nobody_waits_for_is_not_embedded_elsewhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = Cloud()
    (folder / "slow").touch()
    model = LocalModel(folder, folder, cloud.embed)
    with monkeypatch.context() as impatient:
        impatient.setattr(local_model, "LOADING_SECONDS", 0.0)
        assert model.embed_aside(["ab"]) is None
    (folder / "slow").unlink()
    assert model.embed_aside(["ab"]) == [[2.0, 0.5]]
    assert model.embed_aside([]) == []
    sys.modules["parts"].vector = _raise  # type: ignore[attr-defined]
    assert model.embed_aside(["ab"]) is None
    assert cloud.asked == []


def _raise(_text: str) -> list[float]:
    raise RuntimeError("no memory")

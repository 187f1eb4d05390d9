"""The vector store by itself: large enough for shortlists, reopened, compacted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from localcloud.atlas.index.definitions import VectorDefinition, VectorField
from localcloud.atlas.index.sources import unpack
from localcloud.atlas.index.stores import DamagedStore, encode_id
from localcloud.atlas.vector import nearest
from localcloud.atlas.vector.fields import FieldStores
from localcloud.atlas.vector.filters import parse
from localcloud.atlas.vector.rows import RowTable
from localcloud.atlas.vector.store import Query, Shape, VectorStore
from localcloud.atlas.wire.messages import decode_document
from tools.harness.waiting import wait_for

Floats = npt.NDArray[np.float32]
ROWS, DIMENSIONS = 20_000, 64


def clustered(count: int, seed: int) -> Floats:
    """Around 200 centres, of different lengths, off the origin."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((200, DIMENSIONS))
    near = centres[rng.integers(0, 200, count)] + 0.5 * rng.standard_normal((count, DIMENSIONS))
    return np.asarray(near * rng.uniform(0.8, 1.2, (count, 1)) + 0.3, np.float32)


@pytest.fixture(scope="module")
def rows() -> Floats:
    return clustered(ROWS, 1)


@pytest.fixture(scope="module", params=["euclidean", "cosine", "dotProduct"])
def large(
    request: pytest.FixtureRequest, rows: Floats, tmp_path_factory: pytest.TempPathFactory
) -> VectorStore:
    shape = Shape(DIMENSIONS, request.param, ("n",))
    store = VectorStore(tmp_path_factory.mktemp("store"), shape)
    for number, row in enumerate(rows):
        store.put(encode_id(number), row, {"n": [number]}, b"")
        if number == 17_000:
            store.commit(None)
    store.commit({"_data": "1"})
    return store


def keys(store: VectorStore, query: Floats, candidates: int | None, **wanted: Any) -> list[Any]:
    chosen = parse(wanted, ["n"]) if wanted else None
    found = store.search(Query(query.astype(np.float64), 10, candidates, chosen))
    return [decode_document(key)["_id"] for key, _ in found]


def stored(store: VectorStore) -> set[Any]:
    keys = store.keys()
    return {decode_document(key)["_id"] for key in keys}


def sources(store: VectorStore, *keys: Any) -> list[Any]:
    """The _ids of the documents that the store keeps."""
    found = store.sources([encode_id(key) for key in keys])
    return [None if packed is None else unpack(packed).document["_id"] for packed in found]


def test_recall_of_the_shortlist(large: VectorStore, rows: Floats) -> None:
    assert len(large) > nearest.SCAN_ROWS
    hits = total = 0
    for query in clustered(60, 2):
        scores = nearest.exact_scores(rows, query.astype(np.float64), large.shape.similarity)
        best = np.argsort(-scores)[:10].tolist()
        assert keys(large, query, None) == best
        hits += len(set(best) & set(keys(large, query, 100)))
        total += 10
    assert hits / total >= 0.99


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95])
def test_recall_under_a_filter(large: VectorStore, share: float) -> None:
    hits = 0
    for query in clustered(20, 3):
        wanted = {"$lt": int(ROWS * share)}
        exact = keys(large, query, None, n=wanted)
        assert all(key < ROWS * share for key in exact)
        hits += len(set(exact) & set(keys(large, query, 100, n=wanted)))
    assert hits / 200 >= 0.99


@pytest.mark.parametrize("sound", [True, False])
def test_a_loaded_store_has_its_sketch(
    large: VectorStore,
    rows: Floats,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sound: bool,
) -> None:
    """It is not made again, unless its file is damaged."""
    folder = tmp_path / "store"
    shutil.copytree(large.directory, folder)
    if not sound:
        (folder / "sketch.npz").write_bytes(b"no sketch")
    made: list[int] = []
    of = nearest.Sketch.of

    def count(matrix: Floats, lengths: Floats, rows: int, similarity: str) -> nearest.Sketch:
        made.append(rows)
        return of(matrix, lengths, rows, similarity)

    monkeypatch.setattr(nearest.Sketch, "of", count)
    store = VectorStore(folder, large.shape)
    assert made == ([] if sound else [ROWS])
    for query in clustered(20, 5):
        assert keys(store, query, 100) == keys(large, query, 100)
    assert keys(store, rows[9], None, n={"$lt": 100})[0] == 9
    assert made == ([] if sound else [ROWS])
    store.close()


@pytest.mark.parametrize("state", ["sound", "damaged", "of another number"])
def test_a_snapshot_and_what_changed_since(
    large: VectorStore,
    rows: Floats,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
) -> None:
    """The table is read as a whole only if the snapshot is of no use."""
    folder = tmp_path / "store"
    shutil.copytree(large.directory, folder)
    store = VectorStore(folder, large.shape)
    (file,) = folder.glob("rows-*.npz")
    for number in range(100, 200):
        store.remove(encode_id(number))
    store.put(encode_id(5), rows[5], {"n": [-5]}, b"")
    store.put(encode_id(6), rows[7_000], {"n": [-6]}, b"")
    store.put(encode_id("new"), rows[8_000], {}, b"")
    store.put(encode_id("gone"), rows[8_000], {}, b"")
    store.remove(encode_id("gone"))
    store.commit({"_data": "2"})
    store.put(encode_id("lost"), rows[9_000], {}, b"")
    store.close()
    if state == "damaged":
        data = file.read_bytes()
        file.write_bytes(data[: len(data) // 2] + b"damage" + data[len(data) // 2 + 6 :])
    elif state != "sound":
        file.rename(file.with_name("rows-999.npz"))
    read: list[RowTable] = []
    load = RowTable.load

    def noted(table: RowTable) -> Any:
        read.append(table)
        return load(table)

    monkeypatch.setattr(RowTable, "load", noted)
    again = VectorStore(folder, large.shape)
    assert len(read) == (state != "sound")
    assert len(again) == ROWS - 99
    assert keys(again, rows[5], None, n=-5) == [5]
    assert keys(again, rows[6], None, n=-6) == [6]
    assert keys(again, rows[5], None, n={"$in": [5, 6, 150]}) == []
    assert {"new", 8_000} <= set(keys(again, rows[8_000], None))
    assert {6, 7_000} <= set(keys(again, rows[7_000], None))
    assert not {"gone", "lost", *range(100, 200)} & stored(again)
    for query in clustered(10, 6):
        assert keys(again, query, 100, n={"$gte": 200}) == keys(large, query, 100, n={"$gte": 200})
    again.put(encode_id("later"), rows[9_000], {"n": [-9]}, b"")
    again.commit({"_data": "3"})
    assert keys(again, rows[9_000], None, n=-9) == ["later"]
    again.close()


def test_damage_below_a_snapshot_is_noticed(
    large: VectorStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is searched at once, and the follower hears of it at a later commit."""
    monkeypatch.setattr("localcloud.atlas.vector.store.CHECK_PAUSE", 0.0)
    folder = tmp_path / "store"
    shutil.copytree(large.directory, folder)
    with (folder / "vectors.f32").open("r+b") as file:
        file.seek(4 * DIMENSIONS * 12_345)
        file.write(b"\xff")
    store = VectorStore(folder, large.shape)

    def refused() -> bool:
        try:
            store.commit(None)
        except DamagedStore as damage:
            return str(damage) == "row 12345"
        return False

    wait_for(refused, "the damage")
    store.close()


def test_only_what_was_committed_is_found_again(tmp_path: Path, rows: Floats) -> None:
    shape = Shape(DIMENSIONS, "euclidean", ("n",))
    store = VectorStore(tmp_path, shape)
    assert store.token() is None
    for number in range(2_000):
        store.put(encode_id(number), rows[number], {"n": [number]}, b"")
    store.remove(encode_id(5))
    store.put(encode_id(6), rows[6], {"n": [-6]}, b"")
    store.put(encode_id(7), rows[77], {}, b"")
    store.commit({"_data": "x"})
    store.put(encode_id(8), rows[88], {}, b"")
    store.remove(encode_id(9))
    store.close()
    again = VectorStore(tmp_path, shape)
    assert again.token() == {"_data": "x"}
    assert len(again) == 1_999
    assert keys(again, rows[77], None)[:2] in ([7, 77], [77, 7])
    assert keys(again, rows[6], None, n=-6) == [6]
    assert keys(again, rows[6], None, n=6) == []
    assert {keys(again, rows[number], None)[0] for number in (8, 9, 1_999)} == {8, 9, 1_999}
    assert 5 not in keys(again, rows[5], None)
    again.close()


def test_compaction(tmp_path: Path, rows: Floats) -> None:
    definition = VectorDefinition((VectorField("v", DIMENSIONS, "euclidean"),), ("n",))
    stores = FieldStores(tmp_path, definition)
    stores.open()
    for round_ in range(4):
        for number in range(1_000):
            vector = rows[number + round_].tolist()
            stores.put({"_id": number, "v": vector, "n": number})
    stores.commit({"_data": "y"})
    file = tmp_path / "field0" / "vectors.f32"
    before = file.stat().st_size
    searched = stores.store("v")
    stores.compact()
    assert file.stat().st_size < before
    for store in (searched, stores.store("v")):
        assert store is not None
        assert keys(store, rows[3], None, n={"$lt": 100})[0] == 0
    kept = stores.store("v")
    assert kept is not None
    assert sources(kept, 5, 999, "unknown") == [5, 999, None]
    assert stores.token() == {"_data": "y"}
    stores.put({"_id": "new", "v": rows[9_999].tolist()})
    stores.commit({"_data": "z"})
    stores.close()
    reopened = FieldStores(tmp_path, definition)
    reopened.open()
    store = reopened.store("v")
    assert store is not None
    assert len(store) == 1_001
    assert sources(store, 5, "new") == [5, "new"]
    assert keys(store, rows[9_999], None)[0] == "new"
    reopened.close()


@pytest.mark.parametrize("moment", ["before", "between", "after"])
def test_a_crash_in_a_compaction(tmp_path: Path, rows: Floats, moment: str) -> None:
    """Copied, first renamed, or both renamed: the whole store is there on the next start."""
    definition = VectorDefinition((VectorField("v", DIMENSIONS, "euclidean"),), ())
    for directory in ("field0", "field0.new") if moment != "after" else ("field0", "field0.old"):
        store = VectorStore(tmp_path / directory, Shape(DIMENSIONS, "euclidean", ()))
        store.put(encode_id(1), rows[1], {}, b"")
        store.commit({"_data": "x"})
        store.close()
    if moment == "between":
        (tmp_path / "field0").rename(tmp_path / "field0.old")
    stores = FieldStores(tmp_path, definition)
    stores.open()
    found = stores.store("v")
    assert found is not None
    assert keys(found, rows[1], None) == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["field0"]
    stores.close()

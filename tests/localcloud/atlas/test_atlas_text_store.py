"""The store of a search index by itself: reopened, compacted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bson
import pytest

from localcloud.atlas.index.stores import encode_id
from localcloud.atlas.options import Options
from localcloud.atlas.text.mappings import parse_search
from localcloud.atlas.text.stage import TextSearch
from localcloud.atlas.text.store import TextStore

FIELDS = {"text": {"type": "string"}, "numbers": {"type": "number"}}
DEFINITION = parse_search(Options({"mappings": {"dynamic": True, "fields": FIELDS}}))


def found(store: TextStore, **operator: Any) -> list[Any]:
    search = TextSearch.parse(operator, "$search")
    return sorted(hit.id for hit in search.run(store, None).hits)


def word(query: str, path: str = "text") -> dict[str, Any]:
    return {"text": {"query": query, "path": path}}


@pytest.fixture
def store(tmp_path: Path) -> TextStore:
    store = TextStore(tmp_path / "index" / "0", DEFINITION)
    store.open()
    return store


def again(store: TextStore, tmp_path: Path) -> TextStore:
    store.close()
    other = TextStore(tmp_path / "index" / "0", DEFINITION)
    other.open()
    return other


def test_only_what_was_committed_is_found_again(store: TextStore, tmp_path: Path) -> None:
    assert store.token() is None
    for number in range(100):
        store.put({"_id": number, "text": f"word w{number}"})
    store.remove(encode_id(5))
    store.commit({"_data": "x"})
    store.put({"_id": 200, "text": "word"})
    store.remove(encode_id(9))
    store = again(store, tmp_path)
    assert store.token() == {"_data": "x"}
    assert found(store, **word("word")) == [n for n in range(100) if n != 5]
    store.close()


def test_what_was_read_without_a_token_is_read_anew(store: TextStore, tmp_path: Path) -> None:
    store.put({"_id": 1, "text": "word"})
    store.commit(None)
    assert found(store, **word("word")) == [1]
    store = again(store, tmp_path)
    assert store.token() is None
    assert found(store, **word("word")) == []
    store.close()


def test_keep_only(store: TextStore) -> None:
    for number in range(20):
        store.put({"_id": number, "text": "word"})
    store.commit(None)
    store.put({"_id": 99, "text": "word"})
    store.keep_only({encode_id(number) for number in range(0, 20, 2)})
    assert found(store, **word("word")) == list(range(0, 20, 2))
    store.close()


def test_compaction(store: TextStore, tmp_path: Path) -> None:
    """What is rewritten again and again does not grow, and stays whole."""
    sizes = []
    for round_ in range(8):
        for number in range(1_000):
            long = [float(number)] * (200 if number < 5 else 1)
            store.put({"_id": number, "text": f"word r{round_}", "numbers": long, "v": [0.5] * 300})
        store.commit({"_data": str(round_)})
        store.compact()
        words = tmp_path / "index" / "0" / "words"
        sizes.append(sum(file.stat().st_size for file in words.iterdir()))
    assert max(sizes) < 6 * sizes[0]
    for one in (store, again(store, tmp_path)):
        assert len(found(one, **word("word"))) == 1_000
        assert found(one, **word("r6")) == []
        assert found(one, equals={"path": "numbers", "value": 3}) == [3]
        assert found(one, range={"path": "numbers", "gte": 3, "lt": 6}) == [3, 4, 5]
        assert found(one, equals={"path": "v", "value": 0.5}) == []
        one.close()


def test_another_format(store: TextStore, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store.put({"_id": 1, "text": "word"})
    store.commit({"_data": "x"})
    store.close()
    state = tmp_path / "index" / "0" / "state.bson"
    state.write_bytes(bson.encode({**bson.decode(state.read_bytes()), "format": 0}))
    store = again(store, tmp_path)
    assert store.token() is None
    assert "another format" in caplog.text
    store.close()


def test_delete(store: TextStore, tmp_path: Path) -> None:
    store.put({"_id": 1, "text": "word"})
    store.commit({"_data": "x"})
    store.close()
    store.delete()
    assert list(tmp_path.iterdir()) == []


def sources(store: TextStore, **operator: Any) -> list[Any]:
    search = TextSearch.parse(operator, "$search")
    return [hit.source.document for hit in search.run(store, None).hits if hit.source]


def test_a_document_that_is_searched_as_before_is_shown_as_it_is_now(tmp_path: Path) -> None:
    definition = parse_search(Options({"mappings": {"dynamic": False, "fields": FIELDS}}))
    store = TextStore(tmp_path / "index" / "0", definition)
    store.open()
    document = {"_id": 1, "text": "word", "other": 1}
    store.put(document)
    store.commit({"_data": "x"})
    store.put({**document, "other": 2})
    assert sources(store, **word("word")) == [{**document, "other": 2}]
    store.put({**document, "other": True})
    assert sources(store, **word("word")) == [{**document, "other": True}]
    store.put({**document, "text": "term"})
    assert sources(store, **word("word")) == []
    assert sources(store, **word("term")) == [{**document, "text": "term"}]
    store.put({**document, "text": "term", "other": 3})
    store.put(document)
    assert sources(store, **word("word")) == [document]
    store.put({**document, "other": 4})
    store.remove(encode_id(1))
    assert sources(store, **word("word")) == []
    store.close()


@pytest.mark.parametrize("value", [True, 1.0, "1", [1], None])
def test_a_value_of_another_type_is_searched_otherwise(store: TextStore, value: Any) -> None:
    store.put({"_id": 1, "numbers": 1, "text": "word"})
    store.commit({"_data": "x"})
    store.put({"_id": 1, "numbers": value, "text": "word"})
    equal = {"equals": {"path": "numbers", "value": 1}}
    expected = [1] if value in (1.0, [1]) and value is not True else []
    assert found(store, **equal) == expected
    store.close()


def test_what_is_searched_as_before_is_committed_too(store: TextStore, tmp_path: Path) -> None:
    store.put({"_id": 1, "text": "word", "_vector": [0.5] * 200})
    store.commit({"_data": "x"})
    store.put({"_id": 1, "text": "word", "_vector": [0.25] * 300, "_id2": None})
    store.commit({"_data": "y"})
    store = again(store, tmp_path)
    assert [each.get("_id2", 0) for each in sources(store, **word("word"))] == [None]
    store.close()

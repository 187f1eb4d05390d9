"""A collection in BEIR's form is read, indexed and judged as it should be."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.evaluate_beir import HEADER, BadCollection, Document, ranking, read, report
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import running_site

TINY = Path(__file__).parent / "tiny_collection"


@pytest.fixture
def person(real_copy: Cloud) -> Iterator[Person]:
    person = Person(real_copy)
    yield person
    person.http.close()


def test_it_is_read() -> None:
    """Queries without a text or without a relevant document are not asked."""
    collection = read(TINY)
    assert [each.id for each in collection.documents][:2] == ["kites", "bread/rye"]
    assert [*collection.queries] == ["q1", "q2", "q3", "tides"]
    assert collection.judgements["q1"] == {"bread/rye": 1, "bread-white": 1, "kites": 0}
    assert collection.judgements["q2"] == {"tides": 2}


def test_its_documents_are_pages() -> None:
    document = Document("a/b?c", "Salt & water", "Less < more")
    assert document.path == "/document/a%2Fb%3Fc"
    assert b"<title>Salt &amp; water</title>" in document.page().body
    assert b"<p>Less &lt; more</p>" in document.page().body


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("corpus.jsonl", None),
        ("corpus.jsonl", '{"_id": "a"}'),
        ("queries.jsonl", "[1]"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\ttides"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\ttides\t0"),
    ],
)
def test_another_folder_is_refused(tmp_path: Path, name: str, content: str | None) -> None:
    folder = shutil.copytree(TINY, tmp_path / "tiny")
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(BadCollection, match=str(folder)):
        read(folder)


@pytest.mark.slow("indexes a collection; what it computes is tested without it")
def test_the_real_pipeline_is_judged(person: Person) -> None:
    """Of four queries one asks for a document that is not there; one is a document's own words, and
    finds that first, which does not count."""
    collection = read(TINY)
    with running_site() as site:
        header, line = report(person, site, collection)
        assert header == HEADER
        found = ranking(person, collection.queries["tides"], 100)
    assert found[0] == "tides"
    place = [each for each in found if each != "tides"].index("locks") + 1
    _, name, documents, queries, ndcg, recall, mrr, _ = (each.strip() for each in line.split("|"))
    assert (name, documents, queries) == ("tiny_collection", "6", "4")
    assert ranking(person, collection.queries["q1"], 2) in (
        ["bread/rye", "bread-white"],
        ["bread-white", "bread/rye"],
    )
    assert ranking(person, collection.queries["q2"], 1) == ["tides"]
    # The last query has two relevant documents, of which it cannot find itself.
    assert float(recall) == pytest.approx((1 + 1 + 0 + 1 / 2) / 4, abs=0.001)
    assert float(mrr) == pytest.approx((1 + 1 + 0 + 1 / place) / 4, abs=0.001)
    assert 0.5 < float(ndcg) < 0.75

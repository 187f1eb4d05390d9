"""What a thing comes to is counted as it is."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from tests.faults.things import make_thing
from tools.estimate_size import COLLECTIONS, Totals, entry_bytes, report, totals
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import running_site


@pytest.fixture
def person(quick_copy: Cloud) -> Iterator[Person]:
    person = Person(quick_copy)
    yield person
    person.http.close()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        # A document of 5 bytes, and a string of 3: type, name of 2, length of 4, text and its end.
        (["url"], 5 + 1 + 2 + 4 + 4 + 8),
        # Two fields, one of them a null in a document that is not there.
        (["_id", "looks.moved_to"], 5 + (1 + 2 + 12) + (1 + 2) + 8),
        (["inner.number"], 5 + 1 + 2 + 4 + 8),
    ],
)
def test_an_entry_of_an_index(fields: list[str], expected: int) -> None:
    document = {"_id": ObjectId(), "url": "abc", "inner": {"number": 1}}
    assert entry_bytes(document, fields) == expected


@pytest.mark.slow("indexes what is measured; the sums are tested without it")
def test_a_page_of_many_passages_and_a_recording(quick_copy: Cloud, person: Person) -> None:
    """33 passages or more need two predictions, and each calls back once."""
    page = make_thing("long", random.Random(1), paragraphs=40)
    talk = make_thing("talk", random.Random(2), audio=True)
    with running_site() as site:
        empty = totals(quick_copy)
        person.index(site.add(page.path, page.page()))
        with_page = totals(quick_copy)
        person.index(site.add(talk.path, talk.page()))
        came, then = with_page - empty, totals(quick_copy) - with_page
    assert came.documents["assets"] == then.documents["assets"] == 1
    assert 33 <= came.documents["passages"] <= 64
    assert (came.predictions, came.events) == (2, 2)
    assert (then.predictions, then.events) == (2, 2)
    uri = quick_copy.endpoints["MONGODB_CONNECTION_URI"]
    with MongoClient[RawBSONDocument](uri, document_class=RawBSONDocument) as client:
        stored = {name: list(client["iaat"][name].find()) for name in COLLECTIONS}
    for name, documents in stored.items():
        both = came.document_bytes[name] + then.document_bytes[name]
        assert both == sum(len(each.raw) for each in documents)
    # A vector alone has 768 numbers of 4 bytes.
    assert came.document_bytes["passages"] > 768 * 4 * came.documents["passages"]
    assert came.index_bytes > 0


def test_it_is_multiplied() -> None:
    """Two things of ten passages, by hand."""
    came = Totals({"assets": 2, "passages": 20}, {"assets": 4_000, "passages": 80_000}, 600, 2, 4)
    lines = [line for line in report("P", came, 1_000) if line.startswith("| ")]
    rows = dict(line.strip("| ").split(" | ", 1) for line in lines[1:])
    assert rows["documents in `passages`"] == "10.00 | 10,000"
    assert rows["bytes of documents in `passages`"] == "40,000 | 0.04 GB"
    assert rows["bytes of the entries of their indexes"] == "300 | 0.00 GB"
    assert rows["bytes of vectors in memory, float32"] == "30,720 | 0.03 GB"
    assert rows["bytes of vectors in memory, binary"] == "1,280 | 0.00 GB"
    assert rows["predictions"] == "1.00 | 1,000"
    assert rows["events"] == "2.00 | 2,000"
    assert rows["hours at 600 predictions a minute"].strip("| ") == "0.03"
    assert rows["hours at 5 events a second"].strip("| ") == "0.11"

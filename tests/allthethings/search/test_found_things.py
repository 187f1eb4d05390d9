"""Which things are found, and what is shown of them."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime

import pytest
from bson import ObjectId
from lxml import html
from markupsafe import escape

from tests.allthethings.search.library import Library, Searcher, Thing
from tests.faults.things import make_thing
from tools.harness.cloud import ROOT, Cloud, clean_environment
from tools.harness.site import Site
from tools.harness.waiting import wait_for

UNFINISHED = ["SUBMITTED", "PROCESSING", "PROCESSED", "GENERATING_EMBEDDINGS"]


@pytest.mark.parametrize("status", [*UNFINISHED, "PROCESSING_ERROR", "EMBEDDINGS_ERROR"])
def test_only_what_is_searchable_is_found(search: Searcher, library: Library, status: str) -> None:
    word = f"wombat{status.lower().replace('_', '')}"
    thing = library.put(Thing([f"The {word} digs."], status=status))
    assert thing not in search.all_ids(word)
    assert thing not in search.all_ids(f"The {word} digs.")
    library.move(thing, "SEARCHABLE")
    assert search.ids(word)[0] == thing
    library.move(thing, "PROCESSING_ERROR")
    assert thing not in search.all_ids(word)


def test_a_deleted_thing_is_gone_at_once(search: Searcher, library: Library) -> None:
    thing = library.put(Thing(["The numbat sleeps."], host="numbat.test"))
    assert search.ids("numbat")[0] == thing
    assert search.http.post(f"/assets/{thing}/delete").status_code == 200
    assert thing not in search.all_ids("numbat")
    assert search.ids("numbat", site="numbat.test") == []
    search.answer(like=thing, code=404)


def test_a_thing_half_deleted_is_not_found(search: Searcher, library: Library) -> None:
    """Its passages may be there a moment longer than itself."""
    left = library.put(Thing(["The bilby hops."]))
    library.assets.delete_one({"_id": ObjectId(left)})
    assert left not in search.all_ids("bilby")


@pytest.fixture
def under_way(library: Library) -> Iterator[int]:
    """How many are, three of them in this test alone."""
    put = [library.put(Thing(["Soon."], status=status)) for status in UNFINISHED[1:]]
    unfinished = {"status": {"$in": UNFINISHED}}
    yield library.assets.count_documents(unfinished)
    for key in put:
        library.move(key, "EMBEDDINGS_ERROR")


def test_what_is_under_way_is_counted(search: Searcher, under_way: int) -> None:
    for query in ("anchor", "", "kind:film"):
        code = 400 if ":" in query else 200
        assert search.answer(query, code)["under_way"] == under_way
        page = html.document_fromstring(search.page(query, code))
        said = " ".join(page.xpath("string(//form[@role='search'])").split())
        assert f"{under_way} things are still being processed" in said


def test_a_submitted_thing_is_found_with_its_filters(search: Searcher, site: Site) -> None:
    thing = make_thing("wallaby", random.Random(3))
    asset = search.index(site.add(thing.path, thing.page()))
    today = datetime.fromisoformat(asset["created_at"]).strftime("%Y-%m-%d")
    found = search.answer("chapters of the wallaby", kind="page", site="127.0.0.1", after=today)
    first = found["results"][0]
    assert first["asset_id"] == asset["id"]
    assert (first["kind"], first["added"]) == ("web page", asset["created_at"])
    assert first["title"] == thing.name
    assert asset["id"] not in search.all_ids("wallaby", before=today)


def test_markup_in_a_passage_is_text(search: Searcher, library: Library) -> None:
    text = "<script>alert('koala')</script> & the koala's \"<mark>koalas</mark>\" </p>koala"
    thing = library.put(Thing([text], title="<b>Koala</b>"))
    result = search.answer("koala")["results"][0]
    [hit] = result["passages"]
    assert (result["asset_id"], hit["text"]) == (thing, text)
    assert "".join(part for part, _ in hit["parts"]) == text
    marked = [part for part, matches in hit["parts"] if matches]
    assert marked == ["koala", "koala", "koalas", "koala"]
    page = search.page("koala")
    tree = html.document_fromstring(page)
    [shown] = tree.xpath(f"//*[@data-result='{thing}']//p[@class='excerpt']")
    assert shown.text_content().strip() == text
    assert shown.xpath(".//mark/text()") == marked
    assert str(escape("<script>alert('")) in page
    assert "<script>alert" not in page


def test_a_result_says_where_and_when(search: Searcher, library: Library) -> None:
    spoken = library.put(
        Thing(["Nothing.", "The quokka <smiles>."], content_type="audio/mpeg", host="quokka.test")
    )
    result = search.answer("quokka")["results"][0]
    hit = result["passages"][0]
    assert (result["asset_id"], result["kind"], result["host"]) == (spoken, "audio", "quokka.test")
    assert (hit["position"], hit["locator"]) == (1, {"start": 5.0, "end": 10.0})
    assert hit["link"] == f"{library.url(spoken)}#t=5"
    tree = html.document_fromstring(search.page("quokka"))
    [article] = tree.xpath(f"//*[@data-result='{spoken}']")
    assert article.xpath(".//a[@data-play='audio']/@href")[0] == hit["link"]
    assert f"/assets/{spoken}?query=quokka&at=1#p1" in article.xpath(".//a/@href")


def test_older_passages_are_brought_up_to_date(
    cloud: Cloud, search: Searcher, library: Library
) -> None:
    thing = library.put(Thing(["The potoroo digs."], host="potoroo.test", title="Potoroos"))
    fields = ("kind", "site", "added", "title", "before")
    passages = {"asset_id": ObjectId(thing)}
    whole = library.passages.find_one(passages)
    library.passages.update_many(passages, {"$unset": dict.fromkeys(fields, "")})
    orphan = ObjectId()
    library.passages.insert_one({"_id": f"{orphan}:0", "asset_id": orphan, "text": "x"})
    assert search.ids("potoroo", site="potoroo.test") == []
    assert search.ids("potoroo")[0] == thing, "without a filter it is found all the same"

    done = create_indexes(cloud)
    assert "Passages of 1 assets: brought up to date." in done
    assert "Passages of 1 deleted assets: removed." in done
    for parameters in ({"site": "potoroo.test"}, {"kind": "page", "before": "2023-01-02"}):
        assert search.ids("potoroo", **parameters)[0] == thing
    now = library.passages.find_one(passages)
    assert now is not None
    assert {**now, "before": ""} == whole

    assert library.passages.find_one({"asset_id": orphan}) is None
    assert not [line for line in create_indexes(cloud) if "there already" not in line]


def test_an_older_index_learns_the_filters(
    cloud: Cloud, search: Searcher, library: Library
) -> None:
    older = {
        "fields": [
            {
                "type": "vector",
                "path": "embedding",
                "numDimensions": 768,
                "similarity": "euclidean",
            },
            {"type": "filter", "path": "asset_id"},
        ]
    }
    library.passages.update_search_index("vector_index", older)
    wait_for(lambda: _index(library)["latestDefinition"] == older, "the older index")
    assert "Search index vector_index: updated." in create_indexes(cloud)
    wait_for(lambda: _index(library)["queryable"], "the newer index")
    wait_for(lambda: not search.answer("anchor", kind="audio")["words_alone"], "meaning again")


def _index(library: Library) -> dict[str, object]:
    [index] = library.passages.list_search_indexes("vector_index")
    return dict(index)


def create_indexes(cloud: Cloud) -> list[str]:
    """What the script says that it did."""
    done = subprocess.run(
        [sys.executable, "create-indexes.py"],
        cwd=ROOT,
        env=clean_environment(cloud.data_dir, cloud.endpoints),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.splitlines()

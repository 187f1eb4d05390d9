"""What the tutorial's app has stored becomes things of this one, with their texts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database as Documents
from pymongo.operations import SearchIndexModel

from allthethings.errors import BadInput
from allthethings.mongo import Database
from allthethings.pipeline.pipeline import Pipeline
from allthethings.pipeline.tutorial import tutorial_collection
from allthethings.processors import about, kind_of
from allthethings.store.indexes import create_indexes
from allthethings.store.insertions import AlreadyIndexed
from allthethings.store.tutorial import ASIDE
from tests.allthethings.search.library import app_environment
from tests.allthethings.store.assets import THEN, document
from tests.faults.apart import NOWHERE, OwnReplicate, own_database, pipeline_of
from tests.faults.things import Document
from tools.harness.cloud import ROOT, Cloud
from tools.harness.person import Person
from tools.harness.site import Page, Site

SOURCE = "of-the-tutorial"
ITS_VECTOR = [0.5] * 768
SENTENCES = [f"Lighthouse number {number} warns the ships of its rock." for number in range(60)]
LONG = " ".join(SENTENCES)


def stored(url: str, **fields: Any) -> Document:
    """A document as the tutorial's app inserts it."""
    return {
        "_id": ObjectId(),
        "url": url,
        "content_type": "audio/mpeg",
        "content_length": "123456",
        "status": "SUBMITTED",
        **fields,
    }


def searchable(url: str, text: str, **fields: Any) -> Document:
    """One that went the whole way: with the prediction of its text, and that of its vector."""
    segments = [
        {"id": number, "start": 5.0 * number, "end": 5.0 * number + 5, "text": f" {sentence}"}
        for number, sentence in enumerate(SENTENCES)
    ]
    output = {"transcription": f" {text}", "segments": segments, "detected_language": "english"}
    return stored(
        url,
        status="SEARCHABLE",
        processor_response={"id": "asked", "status": "starting"},
        text=text,
        replicate_response={"id": "a", "status": "succeeded", "output": output, "error": None},
        embedding=ITS_VECTOR,
        replicate_embeddings_response={"id": "b", "output": [{"embedding": ITS_VECTOR}]},
        **fields,
    )


def of_first_version(url: str, text: str) -> Document:
    """As the tutorial's earlier app stores a thing, whose model gave no segments."""
    return stored(
        url,
        status="SEARCHABLE",
        replicate_process_id="a",
        replicate_request={"model": "", "version": "b", "input": {"audio": url}},
        replicate_embedding_id="c",
        text=text,
        replicate_response={"id": "a", "output": {"transcription": text}},
        embedding=ITS_VECTOR,
    )


@pytest.fixture
def source(cloud: Cloud) -> Iterator[Documents[Document]]:
    """The tutorial's database, on the copy's server."""
    with own_database(cloud, SOURCE) as database:
        yield database.database


def take_over(cloud: Cloud, *arguments: str) -> str:
    """What the command prints, which has to succeed."""
    ran = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", "import-tutorial", *arguments],
        cwd=ROOT,
        env=app_environment(cloud),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_its_texts_are_cut_embedded_and_found(
    cloud: Cloud, person: Person, site: Site, source: Documents[Document]
) -> None:
    known = person.index(site.add("/known", Page(b"<title>Known</title><p>It is here.</p>")))
    long = searchable("https://tutorial.test/lighthouses.mp3", LONG)
    short = of_first_version("https://tutorial.test/kites.mp3", "A red kite circles over the hay.")
    page = stored(
        "https://tutorial.test/heron",
        content_type="Text/HTML; charset=utf-8",
        status="GENERATING_EMBEDDINGS",
        text="The heron stands still in the reeds.",
    )
    left_out = [
        stored("https://tutorial.test/waits.mp3", status="PROCESSING"),
        stored("https://tutorial.test/failed.mp3", status="PROCESSING_ERROR", text=None, error="x"),
        stored("ftp://tutorial.test/old.mp3", text="An old one."),
        stored("https://tutorial.test/program", content_type="application/x-y", text="Unknown."),
    ]
    there = [
        searchable(known["url"], "Another text of what is here."),
        searchable("https://TUTORIAL.test/lighthouses.mp3#again", "The same thing twice."),
    ]
    before = [long, short, page, *left_out, *there]
    source["assets"].insert_many(before)

    arguments = ("--uri", cloud.endpoints["MONGODB_CONNECTION_URI"], "--database", SOURCE)
    told = take_over(cloud, *arguments)
    assert "Taken: 3. Here already: 2. Left out: 4.\n" in told
    assert "waits.mp3: It has no text; its status is PROCESSING." in told
    assert "failed.mp3: It has no text; its status is PROCESSING_ERROR." in told
    assert "old.mp3: Only http and https URLs can be indexed" in told
    assert "program: It is of type application/x-y. Accepted are: audio, " in told

    for each in (long, short, page):
        asset = person.finished(str(each["_id"]))
        assert (asset["status"], asset["text"]) == ("SEARCHABLE", each["text"])
    history = person.http.get(f"/assets/{long['_id']}", headers={"Accept": "text/html"})
    assert "Text taken from the tutorial" in history.text
    result = person.search('"Lighthouse number 42"')[0]
    assert result["asset_id"] == str(long["_id"])
    passage = next(each for each in result["passages"] if "number 42 " in each["text"])
    assert 0 < passage["locator"]["start"] <= 5 * 42 <= passage["locator"]["end"]
    assert person.search("heron reeds")[0]["asset_id"] == str(page["_id"])
    assert "Another text" not in person.asset(known["id"])["text"]

    assert "Taken: 0. Here already: 5. Left out: 4.\n" in take_over(cloud, *arguments)
    assert list(source["assets"].find().sort("_id")) == before


@pytest.mark.slow("indexes the whole collection once more")
def test_its_vectors_are_left_aside(
    cloud: Cloud, database: Documents[Document], person: Person, source: Documents[Document]
) -> None:
    thing = searchable("https://tutorial.test/vectors.mp3", LONG)
    source["assets"].insert_one(thing)
    take_over(cloud, "--uri", cloud.endpoints["MONGODB_CONNECTION_URI"], "--database", source.name)
    person.finished(str(thing["_id"]))
    passages = list(database["passages"].find({"asset_id": thing["_id"]}))
    assert len(passages) > 1
    assert all(each["embedding"].as_vector().data != ITS_VECTOR for each in passages)
    kept = database["assets"].find_one({"_id": thing["_id"]})
    assert kept is not None
    assert not {"embedding", "replicate_response", "replicate_embeddings_response"} & set(kept)


@pytest.fixture
def pipeline(cloud: Cloud, apart: Database) -> Iterator[Pipeline]:
    replicate = OwnReplicate(cloud)
    yield pipeline_of(apart, replicate, NOWHERE)
    replicate.close()


def make_indexes(database: Database, move_tutorial: bool = False) -> str:
    done = create_indexes(
        database.database,
        kind_of,
        lambda asset: about(asset, asset.title),
        move_tutorial=move_tutorial,
    )
    return "\n".join(done)


def test_what_was_interrupted_between_passages_and_asset_is_done_again(
    apart: Database, pipeline: Pipeline
) -> None:
    make_indexes(apart)
    thing = searchable("https://tutorial.test/killed.mp3", LONG)
    source = apart.database[ASIDE]
    source.insert_one(thing)
    assert [each.error for each in pipeline.tutorial.take_all(source)] == [None]
    passages = list(apart.passages.collection.find().sort("_id"))
    apart.assets.collection.delete_one({"_id": thing["_id"]})
    assert [each.error for each in pipeline.tutorial.take_all(source)] == [None]
    assert list(apart.passages.collection.find().sort("_id")) == passages
    [again] = pipeline.tutorial.take_all(source)
    assert isinstance(again.error, AlreadyIndexed)
    assert apart.assets.collection.count_documents({}) == 1


def test_its_documents_make_way_for_the_app_in_the_same_database(
    apart: Database, pipeline: Pipeline
) -> None:
    """Both apps keep their things in `assets`, and the tutorial's have nothing that is unique."""
    assets = apart.database["assets"]
    stays = [
        searchable(f"https://tutorial.test/{number}.mp3", f"It says {number}.")
        for number in range(3)
    ]
    own = document(created_at=THEN, content_length=1234)
    del own["url_key"]
    assets.insert_many([*stays, own])
    fields = [
        {"type": "vector", "path": "embedding", "numDimensions": 768, "similarity": "euclidean"}
    ]
    assets.create_search_index(
        SearchIndexModel({"fields": fields}, name="vector_index", type="vectorSearch")
    )
    with pytest.raises(BadInput, match=r"app: 3\. Nothing was changed\. .* --move-tutorial"):
        make_indexes(apart)
    assert list(assets.find().sort("_id")) == [*stays, own]
    assert len(list(assets.list_search_indexes())) == 1
    told = make_indexes(apart, move_tutorial=True)
    assert "Documents of the tutorial: 3 moved to the collection tutorial_assets." in told
    assert list(apart.database[ASIDE].find().sort("_id")) == stays
    assert [each["_id"] for each in assets.find()] == [own["_id"]]
    assert not list(assets.list_search_indexes())
    with tutorial_collection(apart, None, None, None) as source:
        assert [each.error for each in pipeline.tutorial.take_all(source)] == [None] * 3
    assert "tutorial" not in make_indexes(apart)
    assert assets.count_documents({}) == 4


def opened(apart: Database, uri: str | None, name: str | None, collection: str = "assets") -> None:
    with tutorial_collection(apart, uri, name, collection):
        pass


def test_a_source_that_cannot_be_is_refused(cloud: Cloud, apart: Database) -> None:
    uri = cloud.endpoints["MONGODB_CONNECTION_URI"]
    with pytest.raises(BadInput, match=r"Run create-indexes\.py first"):
        opened(apart, uri, SOURCE)
    make_indexes(apart)
    with pytest.raises(BadInput, match="own collection"):
        opened(apart, uri, apart.database.name)
    with pytest.raises(BadInput, match="--uri cannot be read"):
        opened(apart, "mysql://x", SOURCE)
    with pytest.raises(BadInput, match="--database and --collection need --uri"):
        opened(apart, None, None)

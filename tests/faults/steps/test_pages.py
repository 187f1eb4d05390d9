"""Scanned pages are read step by step, and every step may be interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from allthethings.assets.asset import AssetStatus
from allthethings.errors import ErrorCode, ServiceUnavailable
from allthethings.mongo import Database
from allthethings.pipeline import page_pictures, page_stage
from allthethings.pipeline.page_pictures import UNDRAWN
from allthethings.pipeline.page_stage import IN_FLIGHT
from allthethings.pipeline.pipeline import Pipeline
from allthethings.pipeline.reconciler import Reconciler
from allthethings.processors.image import OCR_VERSION
from allthethings.processors.pdf import PdfProcessor
from allthethings.replicate.client import ReplicateClient
from allthethings.replicate.files import UploadedFile
from allthethings.replicate.predictions import Prediction
from allthethings.sources.fetch import Download
from tests.faults.apart import Watched, existing, left, pipeline_of
from tools.harness.cloud import Cloud
from tools.harness.pdfs import make_pdf, page_of, picture_of
from tools.harness.site import Page, Site
from tools.harness.waiting import wait_for

NOWHERE = "http://127.0.0.1:9/nobody"
NOW = timedelta(0)
S = AssetStatus


def document(*pages: bytes) -> Page:
    return Page(make_pdf(*pages), "application/pdf")


class Files(Watched):
    """Knows which files are at Replicate."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.files: set[str] = set()

    def upload(self, content: bytes, name: str, content_type: str) -> UploadedFile:
        file = super().upload(content, name, content_type)
        self.files.add(file.id)
        return file

    def remove(self, file_id: str) -> None:
        super().remove(file_id)
        self.files.discard(file_id)


@pytest.fixture
def replicate(cloud: Cloud) -> Iterator[Files]:
    with closing(Files(cloud)) as replicate:
        yield replicate


@pytest.fixture
def pipeline(apart: Database, replicate: Files, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """Nobody calls back, and nobody waits for that. A slow machine draws all pages at once too."""
    monkeypatch.setattr(page_pictures, "TOGETHER", 600.0)
    monkeypatch.setattr(page_stage, "ASKING", NOW)
    return pipeline_of(apart, replicate, NOWHERE, "127.0.0.1", [NOW], NOW)


def submitted(database: Database, url: str) -> str:
    """A PDF that nobody has looked at."""
    told = {"url": url, "url_key": url, "content_type": "application/pdf"}
    return left(database, "SUBMITTED", NOW, **told)


def reconciled(database: Database, replicate: ReplicateClient, pipeline: Pipeline, key: str) -> str:
    """The text, once the reconciler has done what is to be done."""
    reconciler = Reconciler(database, replicate, pipeline, NOW, timedelta(hours=1))

    def there() -> str | None:
        reconciler.reconcile()
        return existing(database, key).text

    return wait_for(there, "the text", pause=0.1)


class Killed(BaseException):
    """The process dies here."""


def die_after(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    """Have the process die when that method has done its work, once."""
    method: Callable[..., Any] = getattr(owner, name)

    def dying(*args: Any, **kwargs: Any) -> Any:
        method(*args, **kwargs)
        monkeypatch.setattr(owner, name, method)
        raise Killed

    monkeypatch.setattr(owner, name, dying)


@pytest.mark.parametrize(
    "where",
    [
        "replicate.create",
        *(
            pytest.param(each, marks=pytest.mark.slow("three seconds each"))
            for each in (
                "scans.begin", "scans.remove", "transitions.move", "leases.claim",
                "replicate.upload", "scans.uploaded", "scans.claim", "scans.asked", "replicate.get",
                "scans.ended", "replicate.remove", "scans.read", "passages.put",
            )
        ),
    ],
)  # fmt: skip
def test_a_kill_at_each_step_is_made_good(
    apart: Database,
    replicate: Files,
    pipeline: Pipeline,
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    pages = picture_of(f"One, {where}."), page_of("Two, written in words."), picture_of("Three.")
    asset_id = submitted(apart, site.add(f"/{where}.pdf", document(*pages)))
    part, method = where.split(".")
    owner = replicate if part == "replicate" else getattr(apart, part)
    die_after(monkeypatch, owner, method)
    with pytest.raises(Killed):
        reconciled(apart, replicate, pipeline, asset_id)
    # Who was killed holds its lease no longer.
    apart.assets.collection.update_one({}, {"$set": {"lease_until": datetime.now(UTC)}})
    text = reconciled(apart, replicate, pipeline, asset_id)
    assert text == f"One, {where}.\n\nTwo, written in words.\n\nThree."
    assert len(asked_for_pages(replicate)) == 2
    assert apart.database["scans"].count_documents({}) == 0


def asked_for_pages(replicate: Files) -> list[Prediction]:
    found = (replicate.get(each) for each in replicate.created)
    return [each for each in found if each and each.version == OCR_VERSION]


def test_callbacks_that_come_twice_or_in_another_order_count_once(
    apart: Database, replicate: Files, pipeline: Pipeline, site: Site
) -> None:
    pages = [picture_of(f"This is page {number}.") for number in (1, 2, 3)]
    asset_id = submitted(apart, site.add("/twice.pdf", document(*pages)))
    pipeline.text.process(existing(apart, asset_id))
    first, second, third = replicate.created
    wait_for(lambda: replicate.status(third) == "succeeded", "the pages read")
    for each in (third, third, first, "stranger", first, second, second):
        found = replicate.get(each)
        told = {"id": each, "status": "succeeded", "output": found.output if found else "?"}
        pipeline.text.record(asset_id, told)
    asset = existing(apart, asset_id)
    assert asset.text == "This is page 1.\n\nThis is page 2.\n\nThis is page 3."
    assert [entry["status"] for entry in asset.history].count("PROCESSED") == 1
    assert replicate.files == set()


def test_a_callback_that_overtakes_the_record_of_its_request(
    apart: Database, replicate: Files, pipeline: Pipeline, site: Site
) -> None:
    asset_id = submitted(apart, site.add("/early.pdf", document(picture_of("I am early."))))

    def called_back(_number: int) -> None:
        if existing(apart, asset_id).status is S.PROCESSING:
            early = replicate.created[-1]
            wait_for(lambda: replicate.status(early) == "succeeded", "the page read")
            told = {"id": early, "status": "succeeded", "output": "Forged."}
            pipeline.text.record(asset_id, told)

    replicate.after_create = called_back
    pipeline.text.process(existing(apart, asset_id))
    assert existing(apart, asset_id).text == "I am early."


def test_a_server_that_is_away_for_a_while_costs_no_page_that_was_read(
    apart: Database, replicate: Files, pipeline: Pipeline, site: Site
) -> None:
    told = [f"Here is page {number}." for number in range(1, IN_FLIGHT + 3)]
    page = document(*map(picture_of, told))
    asset_id = submitted(apart, site.add("/away.pdf", page))
    pipeline.text.process(existing(apart, asset_id))
    assert len(replicate.created) == IN_FLIGHT
    site.add("/away.pdf", Page(status=503))
    reconciler = Reconciler(apart, replicate, pipeline, NOW, timedelta(hours=1))
    reconciler.reconcile()
    waits = existing(apart, asset_id)
    assert (waits.status, waits.attempt, waits.error_code) == (
        S.PROCESSING, 2, ErrorCode.SERVER_UNAVAILABLE,
    )  # fmt: skip
    site.add("/away.pdf", page)
    assert reconciled(apart, replicate, pipeline, asset_id).split("\n\n") == told
    assert len(asked_for_pages(replicate)) == len(told)


def test_a_page_that_was_interrupted_is_read_again(
    apart: Database, replicate: Files, pipeline: Pipeline, site: Site
) -> None:
    asset_id = submitted(apart, site.add("/again.pdf", document(picture_of("Once more."))))
    pipeline.text.process(existing(apart, asset_id))
    (first,) = replicate.created
    told = {"id": first, "status": "failed", "error": "Interrupted; the model was stopped"}
    pipeline.text.record(asset_id, told)
    assert reconciled(apart, replicate, pipeline, asset_id) == "Once more."
    assert len(asked_for_pages(replicate)) == 2
    assert existing(apart, asset_id).remark is None


def test_pages_that_cannot_be_drawn_end_the_drawing(
    apart: Database, replicate: Files, pipeline: Pipeline, site: Site
) -> None:
    written = page_of("A page of words, which are long enough to be the text of it.")
    pages = [picture_of("x")] * (UNDRAWN + 3)
    url = site.add("/shrinks.pdf", document(written, *pages))
    asset_id = submitted(apart, url)
    read_as: Any = PdfProcessor(pipeline.text._tools)
    content = read_as.process(existing(apart, asset_id))
    read_as._downloaded = Download(url, make_pdf(written), None)  # it has lost its other pages
    pipeline.pages.begin(existing(apart, asset_id), read_as, content)
    asset = existing(apart, asset_id)
    assert asset.status is S.GENERATING_EMBEDDINGS
    assert asset.remark == (
        f"Pages 2 to {len(pages) + 1} could not be read. "
        "Page 2: It is damaged, or takes too long to render."
    )
    assert replicate.files == set()


def test_an_outage_of_replicate_is_no_attempt_at_a_page(
    apart: Database,
    replicate: Files,
    pipeline: Pipeline,
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asset_id = submitted(apart, site.add("/outage.pdf", document(picture_of("It came back."))))
    reconciler = Reconciler(apart, replicate, pipeline, NOW, timedelta(hours=1))
    free = {"$set": {"lease_until": datetime.now(UTC)}}

    def away(*_: object) -> Prediction:
        raise ServiceUnavailable("Replicate", "it answered 429")

    with monkeypatch.context() as outage:
        outage.setattr(replicate, "create", away)
        for _ in range(3):
            reconciler.reconcile()
            apart.assets.collection.update_one({}, free)
    [page] = apart.scans.pages(asset_id, existing(apart, asset_id).reading or "")
    assert (page.attempt, {page.file_id}) == (1, replicate.files)
    assert reconciled(apart, replicate, pipeline, asset_id) == "It came back."

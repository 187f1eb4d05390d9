"""A database whose indexes are built slowly and follow late, as Atlas' do."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.faults.things import recording
from tests.support.copies import QUICK
from tools.harness.cloud import Cloud, running_cloud
from tools.harness.person import Person
from tools.harness.site import Site
from tools.harness.waiting import wait_for

pytestmark = pytest.mark.slow(
    "a copy of its own; test_a_new_thing_that_no_search_finds_yet stands for it"
)
SOON = "will find it in a moment"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    slow = {**QUICK, "SEARCH_LAG": "3", "INDEX_BUILD_SECONDS": "5"}
    with running_cloud(tmp_path_factory.mktemp("slow"), slow) as cloud:
        yield cloud


def test_a_thing_is_found_or_its_page_says_that_it_will_be(
    cloud: Cloud, person: Person, site: Site
) -> None:
    def built() -> bool:
        return httpx.get(f"{cloud.address}/healthz").status_code == 200

    wait_for(built, "the indexes")
    url = site.add("/late.mp3", recording("The lens of a lighthouse guides ships after dark."))
    asset_id = person.submit(url)
    assert person.finished(asset_id)["status"] == "SEARCHABLE"

    def page() -> str:
        return person.http.get(f"/assets/{asset_id}", headers={"Accept": "text/html"}).text

    def is_found() -> bool:
        return asset_id in [one["asset_id"] for one in person.search("lighthouse ships")]

    said_soon = SOON in page()
    assert said_soon or is_found()
    # The words of a thing may be found a moment before its vectors.
    wait_for(lambda: SOON not in page(), "its page to say so no more")
    assert is_found()
    assert person.http.post(f"/assets/{asset_id}/delete").status_code == 200
    assert not is_found()

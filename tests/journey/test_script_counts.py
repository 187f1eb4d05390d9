"""What the script of the list writes, in a browser whose requests an app in memory answers."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from playwright.sync_api import Page, Route, expect

from allthethings.assets.asset import AssetStatus
from allthethings.store.asset_list import COUNT_LIMIT, AssetFilter
from tests.allthethings.web.in_memory import Memory, make_app, make_asset
from tests.support.browser import needs_browser

pytestmark = needs_browser


@dataclass
class Counted(Memory):
    """As many assets as `number` says, of which the list shows one."""

    number: int = 1

    def count(self, _wanted: AssetFilter) -> int:
        return self.number


def test_a_count_that_reaches_its_limit_gets_a_plus(page: Page) -> None:
    memory = Counted([make_asset(1, AssetStatus.PROCESSING)])
    client = make_app(memory).test_client()

    def answer(route: Route) -> None:
        parts = urlsplit(route.request.url)
        asked = f"{parts.path}?{parts.query}"
        with client.get(asked, headers=route.request.headers) as found:
            headers = dict(found.headers.items())
            route.fulfill(status=found.status_code, headers=headers, body=found.data)

    page.route("**/*", answer)
    page.goto("http://localhost/")
    number = page.locator("[data-number]")
    for counted, shown in ((1, "1"), (9_999, "9,999"), (COUNT_LIMIT, "10,000+")):
        memory.number = counted
        expect(number).to_have_text(shown)

"""A person looks again at a page and sees what changed, with and without scripts."""

from __future__ import annotations

from itertools import count

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import needs_browser
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Page as Served
from tools.harness.site import Site
from tools.harness.waiting import PATIENCE

pytestmark = needs_browser

fresh = count()


@pytest.fixture(scope="module")
def cloud(quick_copy: Cloud) -> Cloud:
    return quick_copy


def village(*trades: str) -> Served:
    """A page with a passage for each trade."""
    works = {trade: " ".join(f"{trade}{number}" for number in range(30)) for trade in trades}
    parts = (f"<p>The {trade} opens the shop: {said}.</p>" for trade, said in works.items())
    markup = f"<html><head><title>A village</title></head><body><article>{''.join(parts)}"
    return Served(f"{markup}</article></body></html>".encode())


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "no script"])
def test_a_person_looks_again_and_sees_what_changed(
    browser: Browser, cloud: Cloud, person: Person, site: Site, scripts: bool
) -> None:
    path = f"/trades-{next(fresh)}"
    asset = person.index(site.add(path, village("cooper", "weaver", "miller")))
    with browser.new_context(java_script_enabled=scripts) as context:
        context.set_default_timeout(1000 * PATIENCE)
        page = context.new_page()
        page.goto(f"{cloud.address}/assets/{asset['id']}")
        page.get_by_role("button", name="Look again").click()
        expect(page.locator(".flash")).to_have_text("It has not changed.")
        expect(page.locator(".looks p")).to_contain_text("no change")

        site.add(path, village("cooper", "miller"))
        page.get_by_role("button", name="Look again").click()
        expect(page.locator(".flash")).to_contain_text("It has changed: 0 passages added")
        expect(page.locator(".passages")).not_to_contain_text("weaver")
        expect(page.locator(".diff del").first).to_contain_text("The weaver opens the shop")

        page.get_by_label("Check automatically:").select_option("weekly")
        page.get_by_role("button", name="Set").click()
        expect(page.locator(".flash")).to_have_text("It will be checked every week.")
        expect(page.get_by_label("Check automatically:")).to_have_value("weekly")

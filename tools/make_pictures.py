"""The README's pictures: `make pictures`.

Starts a copy of everything, indexes the examples, and takes pictures of its pages.
Needs Chromium, as the browser tests do.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from tools.harness.chromium import running_browser
from tools.harness.cloud import ROOT, running_cloud
from tools.harness.person import Person

DOCS = ROOT / "docs"
QUERY = "optics that guide ships after dark"
WIDE, NARROW = (1100, 760), (390, 760)


def main() -> None:
    examples = json.loads((ROOT / "examples" / "examples.json").read_text("utf-8"))
    with (
        tempfile.TemporaryDirectory(prefix="pictures-") as folder,
        running_cloud(Path(folder) / "var", {"FETCH_ALLOW": "127.0.0.1"}) as cloud,
    ):
        person = Person(cloud)
        ids = {
            each["file"]: person.submit(f"{cloud.address}/examples/{each['file']}")
            for each in examples
        }
        for asset_id in ids.values():
            person.finished(asset_id)
        spoken = next(ids[file] for file in ids if file.endswith(".mp3"))
        person.search(QUERY)
        person.http.close()
        found = f"{cloud.address}/search?query={QUERY}"
        with running_browser() as browser:
            take(browser, f"{cloud.address}/", "home", WIDE, "light")
            take(browser, found, "search", WIDE, "light", shows=".sentence")
            take(browser, f"{cloud.address}/assets/{spoken}", "thing", WIDE, "dark")
            take(browser, f"{cloud.address}/gateway", "gateway", WIDE, "light")
            take(browser, found, "search-phone", NARROW, "dark", shows=".sentence")


def take(
    browser: Browser, url: str, name: str, size: tuple[int, int], scheme: str, shows: str = "main"
) -> None:
    """Take the picture once the page shows what that selector finds."""
    width, height = size
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page.goto(url, wait_until="load")
    page.locator(shows).first.wait_for()
    page.screenshot(path=DOCS / f"{name}.png")
    page.close()


if __name__ == "__main__":
    main()

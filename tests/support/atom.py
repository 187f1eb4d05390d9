"""What every feed of the app must be."""

from __future__ import annotations

from typing import Any

from allthethings.web.atom import ATOM, OPENSEARCH

# The prefixes of the namespaces in the tests' XPaths.
NAMES = {"a": ATOM, "o": OPENSEARCH}
SAYS_RFC_4287 = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"
RE = "http://exslt.org/regular-expressions"


def check(root: Any) -> None:
    """What RFC 4287, section 4.1, wants of a feed and its entries."""
    assert root.tag == f"{{{ATOM}}}feed"
    assert len(root.xpath("a:author/a:name", namespaces=NAMES)) == 1
    for element in [root, *root.xpath("a:entry", namespaces=NAMES)]:
        for name in ("id", "title", "updated"):
            (found,) = element.xpath(f"a:{name}", namespaces=NAMES)
            assert found.text, name
        (link,) = element.xpath("a:link[@rel='alternate']", namespaces=NAMES)
        assert link.get("href").startswith("https://")
        for name in ("updated", "published"):
            for found in element.xpath(f"a:{name}", namespaces=NAMES):
                assert found.xpath(f"re:test(., '{SAYS_RFC_4287}')", namespaces={"re": RE}), (
                    found.text
                )
    ids = root.xpath("//a:id/text()", namespaces=NAMES)
    assert len(set(ids)) == len(ids)
    assert all(identity.startswith("urn:uuid:") for identity in ids)

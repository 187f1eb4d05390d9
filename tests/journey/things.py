"""What the tests of the pages index: a recording, and a page that is many screens long."""

from __future__ import annotations

from dataclasses import dataclass

from tests.journey.examples import LISTED
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Page as Served
from tools.harness.site import Site

SPOKEN = next(each for each in LISTED if each["file"] == "lighthouse.mp3")
TRADES = [
    *("cooper", "weaver", "miller", "potter", "glazier", "thatcher", "saddler", "printer"),
    *("farrier", "chandler", "dyer", "tanner", "carter", "joiner", "slater", "brewer"),
]
KITE = (
    "Over the sand a paper kite climbs until its string hums. Two sisters let out the line by "
    "turns, and when the wind drops they run along the water to keep it in the air. In the "
    "evening its tail is wet with salt, and they carry it home between them."
)
KITE_QUERY = "sisters with a kite at the seaside"


@dataclass(frozen=True)
class Things:
    """The ids of a recording and of a page that is many screens long."""

    spoken: str
    page: str


def index_things(cloud: Cloud, person: Person, site: Site) -> Things:
    """Index both."""
    trades = [
        f"The {trade} of the village opens the shop at seven and begins with the oldest order. "
        f"Before noon the {trade} has finished three pieces, and sells them at the market. "
        f"The rest of the day belongs to repairs, and to whoever comes to the {trade} to talk."
        for trade in TRADES
    ]
    texts = [*trades[:9], KITE, *trades[9:]]
    # Every paragraph is as high as half a screen.
    body = "".join(f"<p>{text}</p>" for text in texts)
    style = "<style>p { margin-bottom: 20rem }</style>"
    head = f"<head><title>A village</title>{style}</head>"
    markup = f"<html>{head}<body><article>{body}</article></body></html>"
    url = site.add("/village", Served(markup.encode()))
    spoken = person.submit(f"{cloud.address}/examples/{SPOKEN['file']}")
    page = person.submit(url)
    for asset_id in (spoken, page):
        assert person.finished(asset_id)["status"] == "SEARCHABLE"
    return Things(spoken, page)

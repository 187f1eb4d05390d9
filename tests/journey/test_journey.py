"""From a URL to a result, with the real models."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.journey.examples import EXAMPLES, LISTED
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.reference import MISSING, REFERENCE
from tools.harness.site import Page, Site

SPEECH = REFERENCE / "data" / "speech"
ARTICLES = REFERENCE / "data" / "xquad.en.json"
STORY = [
    "SUBMITTED",
    "PROCESSING",
    "PROCESSED",
    "GENERATING_EMBEDDINGS",
    "SEARCHABLE",
]

MORE_CLIPS = pytest.mark.slow("transcribes another recording; one is found without it")


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def edits(found: list[str], wanted: list[str]) -> int:
    """The words that have to be changed to make one text of the other (Levenshtein)."""
    row = list(range(len(wanted) + 1))
    for number, word in enumerate(found, 1):
        previous, row[0] = row[0], number
        for index, other in enumerate(wanted, 1):
            previous, row[index] = (
                row[index],
                min(row[index] + 1, row[index - 1] + 1, previous + (word != other)),
            )
    return row[-1]


# One for each way to a text: two models, a page, and a file with pages.
SOME = {"tea.mp3", "sundial.png", "braille.html", "glacier.pdf"}
OTHERS = pytest.mark.slow("three seconds each; there is one for each way to a text without them")


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(each, id=each["file"], marks=() if each["file"] in SOME else OTHERS)
        for each in LISTED
        if each["kind"] != "archive"  # what is in it is found: test_archive.py
    ],
)
def test_an_example_is_found_in_other_words(
    person: Person, cloud: Cloud, example: dict[str, str]
) -> None:
    url = f"{cloud.address}/examples/{example['file']}"
    asset = person.index(url)
    assert asset["error"] is None
    first = person.search(example["query"])[0]
    assert (first["asset_id"], first["url"]) == (asset["id"], url)
    assert first["strength"] != "none"  # the page does not fold it away
    assert first["passages"][0]["text"] in re.sub(r"\s+", " ", asset["text"])


@pytest.mark.parametrize(
    ("file", "sentence", "locator", "fragment"),
    [
        ("glacier.pdf", "breath that is older than writing", {"page": 3}, "#page=3"),
        ("bicycle.pptx", "nobody has yet proved which shapes are steady", {"slide": 7}, ""),
        ("bread.xlsx", "sixteen hours in a closed tin", {"sheet": "Loaves"}, ""),
    ],
)
def test_a_sentence_is_found_where_it_stands(
    person: Person, cloud: Cloud, file: str, sentence: str, locator: object, fragment: str
) -> None:
    url = f"{cloud.address}/examples/{file}"
    asset = person.index(url)
    found = next(each for each in person.search(sentence) if each["asset_id"] == asset["id"])
    passage = found["passages"][0]
    assert (passage["locator"], passage["link"]) == (locator, f"{url}{fragment}")


@pytest.mark.parametrize(
    ("beginning", "content_type"),
    [("<!doctype html><title>A page</title>", "text/html"), ("A text. ", "text/plain")],
)
def test_first_bytes_tell_what_a_server_does_not(
    person: Person, site: Site, beginning: str, content_type: str
) -> None:
    words = "The dunlin probes the mud of the estuary with its bill, and feels for worms. "
    served = Page(f"{beginning}<p>{words * 5}</p>".encode(), "application/octet-stream")
    asset = person.index(site.add(f"/unnamed-{content_type[5:]}", served))
    assert asset["content_type"] == content_type
    assert "dunlin probes" in asset["text"]


def test_a_recording_goes_through_every_stage_and_keeps_its_times(
    person: Person, cloud: Cloud
) -> None:
    spoken = next(example for example in LISTED if example["file"].endswith(".mp3"))
    asset = person.index(f"{cloud.address}/examples/{spoken['file']}")
    assert [entry["status"] for entry in asset["history"]] == STORY
    script = (EXAMPLES / "texts" / spoken["file"]).with_suffix(".txt").read_text("utf-8")
    assert edits(words(asset["text"]), words(script)) <= 0.15 * len(words(script))
    locator = person.search(spoken["query"])[0]["passages"][0]["locator"]
    assert 0 <= locator["start"] < locator["end"] < 120


@pytest.mark.skipif(not SPEECH.exists(), reason=MISSING)
@pytest.mark.parametrize(
    ("clip", "paraphrase"),
    [
        ("0870", "the relative at last found time to weigh what help he could sensibly offer"),
        pytest.param(
            *("0890", "a person without warmth who only cares about himself"), marks=MORE_CLIPS
        ),
        pytest.param(
            *("0920", "with a kinder wife people would have thought better of this husband"),
            marks=MORE_CLIPS,
        ),
    ],
)
def test_a_real_recording_is_found_in_other_words(
    person: Person, site: Site, clip: str, paraphrase: str
) -> None:
    [recording] = SPEECH.glob(f"*{clip}.wav")
    script = (SPEECH / "transcription.txt").read_text("utf-8")
    [wanted] = re.findall(rf"<s> (.*) </s> \(.*{clip}\)", script)
    asset = person.index(site.add(f"/{clip}.wav", Page(recording.read_bytes(), "audio/x-wav")))
    assert edits(words(asset["text"]), words(wanted)) <= 2, asset["text"]
    assert person.search(paraphrase)[0]["asset_id"] == asset["id"]


@pytest.mark.slow("embeds 5,000 words: 15 s; make eval indexes 48 such pages")
@pytest.mark.skipif(not ARTICLES.exists(), reason=MISSING)
def test_a_long_page_is_found_by_what_stands_in_its_middle(person: Person, site: Site) -> None:
    articles = json.loads(ARTICLES.read_text("utf-8"))["data"]
    contexts = [part["context"] for article in articles[:12] for part in article["paragraphs"]]
    text = "".join(f"<p>{context}</p>" for context in contexts)
    assert len(words(text)) >= 5_000
    page = f"<html><head><title>Long</title></head><body><article>{text}</article></body></html>"
    asset = person.index(site.add("/long.html", Page(page.encode())))
    middle = articles[4]["paragraphs"][2]
    first = person.search(middle["qas"][0]["question"])[0]
    assert first["asset_id"] == asset["id"]
    assert first["passages"][0]["text"][:40] in re.sub(r"\s+", " ", asset["text"])


def test_one_url_submitted_at_once_in_many_spellings_is_one_thing(
    person: Person, site: Site
) -> None:
    paragraph = "A kingfisher dives from its branch into the stream and comes up with a minnow. "
    page = f"<html><body><article><p>{paragraph * 4}</p></article></body></html>"
    url = site.add("/kingfisher", Page(page.encode()))
    spellings = [url, f"{url}#nest", url.replace("http:", "HTTP:"), url.replace("/k", "/x/../k")]
    with ThreadPoolExecutor(16) as threads:
        ids = set(threads.map(person.submit, spellings * 4))
    assert len(ids) == 1
    assert person.finished(ids.pop())["status"] == "SEARCHABLE"
    assert sum("kingfisher" in asset["url"] for asset in person.assets()) == 1


def test_a_recording_that_cannot_be_decoded_fails_once_and_says_why(
    person: Person, site: Site, cloud: Cloud
) -> None:
    url = site.add("/broken.mp3", Page(b"this is no sound at all " * 100, "audio/mpeg"))
    asset = person.finished(person.submit(url))
    assert asset["status"] == "PROCESSING_ERROR"
    assert "decoded" in asset["error"]
    page = person.http.get(f"/assets/{asset['id']}", headers={"Accept": "text/html"}).text
    assert "decoded" in page
    gateway = httpx.Client(
        base_url=f"{cloud.endpoints['HOOKDECK_API_URL']}/2025-07-01",
        headers={"Authorization": f"Bearer {cloud.endpoints['HOOKDECK_PROJECT_API_KEY']}"},
    )
    with gateway:
        ours = gateway.get("/events", params={"path": f"/{asset['id']}"}).json()["models"]
    assert [(event["status"], event["attempts"]) for event in ours] == [("SUCCESSFUL", 1)]


def test_a_kind_that_does_not_work_is_named_with_those_that_do(person: Person, site: Site) -> None:
    message = person.refused(site.add("/cat.glb", Page(b"glTF", "model/gltf-binary")))
    assert "model/gltf-binary" in message
    assert "audio" in message
    assert "web page" in message


def test_every_part_is_well(person: Person) -> None:
    answer = person.http.get("/healthz")
    assert (answer.status_code, answer.json()["failing"]) == (200, [])

"""The OpenAPI document: it has every route that answers JSON, and what they answer fits it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from allthethings.web.openapi.document import document
from tests.allthethings.web.in_memory import Memory, make_app
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Page, Site, running_site
from tools.harness.waiting import wait_for

# Routes of browsers, of feeds and of pictures.
NO_JSON = {
    *("GET /login", "POST /login", "POST /logout", "GET /tools", "GET /opensearch.xml"),
    *("GET /feed.atom", "GET /search.atom"),
    *("GET /examples/{}", "GET /assets/{}/picture"),
}
ARTICLE = "".join(
    f"<h2>Part {number}</h2><p>The dipper walks under water. "
    + "It looks for larvae. " * 60
    + "</p>"
    for number in range(3)
)


def recording(**told: str) -> Page:
    """A recording as the quick model of the tests reads it."""
    return Page(json.dumps(told).encode(), "audio/mpeg")


def routes_of_the_app() -> set[str]:
    """Every route, with `{}` for what differs in its path."""
    app = make_app(Memory(), app_password="of the tests")
    return {
        f"{method} {re.sub(r'<[^>]+>', '{}', rule.rule)}"
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def operations(described: dict[str, Any]) -> set[str]:
    return {
        f"{method.upper()} {path}"
        for path, methods in described["paths"].items()
        for method in methods
    }


def test_it_has_the_routes_that_answer_json_and_no_others() -> None:
    described = {re.sub(r"{\w+}", "{}", each) for each in operations(document("http://app.test"))}
    assert described == routes_of_the_app() - NO_JSON


def test_it_is_answered_with_the_address_of_the_app() -> None:
    client = make_app(Memory(), app_url="https://things.test").test_client()
    answer = client.get("/openapi.json", base_url="https://things.test")
    assert answer.json == document("https://things.test")


def test_its_schemas_are_schemas_and_its_references_lead_to_something() -> None:
    described = document("http://app.test")
    for schema in schemas_in(described):
        Draft202012Validator.check_schema(schema)
    for reference in references_in(described):
        found: Any = described
        for name in reference.removeprefix("#/").split("/"):
            found = found[name]
        assert found
    used = {each.rpartition("/")[2] for each in references_in(described)}
    assert used == {*described["components"]["schemas"], *described["components"]["responses"]}


def test_each_parameter_of_a_path_is_described() -> None:
    for path, methods in document("http://app.test")["paths"].items():
        for told in methods.values():
            named = [each["name"] for each in told["parameters"] if each["in"] == "path"]
            assert named == re.findall(r"{(\w+)}", path)


def schemas_in(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if isinstance(value.get("schema"), dict):
            yield value["schema"]
        for name, each in value.items():
            yield from each.values() if name == "schemas" else schemas_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from schemas_in(each)


def references_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from references_in(each)


class Checker:
    """Holds every answer in JSON against the document of the app that gave it. A field that is not
    described is a fault, as a missing one is."""

    def __init__(self, described: dict[str, Any]) -> None:
        self._described = closed(described)
        self.seen: dict[str, set[int]] = {}

    def __call__(self, answer: httpx.Response) -> None:
        """For each answer of an HTTP client."""
        answer.read()
        operation = self._operation(answer.request)
        self.seen.setdefault(operation, set()).add(answer.status_code)
        method, _, path = operation.partition(" ")
        responses = self._described["paths"][path][method.lower()]["responses"]
        response = responses.get(str(answer.status_code), responses["default"])
        if "$ref" in response:
            response = self._described["components"]["responses"]["Refusal"]
        schema = response["content"]["application/json"]["schema"]
        validator = Draft202012Validator({**schema, "components": self._described["components"]})
        faults = [
            f"{each.json_path}: {each.message}" for each in validator.iter_errors(answer.json())
        ]
        assert not faults, (operation, answer.status_code, faults)

    def _operation(self, request: httpx.Request) -> str:
        asked = f"{request.method} {request.url.path}"
        found = [each for each in sorted(operations(self._described)) if fits(each, asked)]
        assert found, asked
        return found[0]


def fits(operation: str, asked: str) -> bool:
    """Whether a request is one of an operation."""
    return re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(operation)), asked) is not None


def closed(value: Any) -> Any:
    """The same with objects that have the described fields alone, where nothing else is said."""
    if isinstance(value, list):
        return [closed(each) for each in value]
    if not isinstance(value, dict):
        return copy.copy(value)
    made = {name: closed(each) for name, each in value.items()}
    if made.get("type") == "object" and "properties" in made:
        made.setdefault("additionalProperties", False)
    return made


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site() as site:
        yield site


@pytest.fixture
def person(quick_copy: Cloud) -> Iterator[Person]:
    person = Person(quick_copy)
    yield person
    person.http.close()


def test_what_the_app_answers_fits_the_document(person: Person, site: Site) -> None:
    http = person.http
    checker = Checker(http.get("/openapi.json").json())
    http.event_hooks["response"].append(checker)
    page = person.index(site.add("/dipper", Page(f"<article>{ARTICLE}</article>".encode())))["id"]
    sound = person.index(site.add("/tea.mp3", recording(text="Warm the pot.\nAdd tea.")))["id"]
    table = person.index(site.add("/t.csv", Page(b"bird,legs\ndipper,2\n", "text/csv")))["id"]
    said = Page(b"WEBVTT\n\n00:01.000 --> 00:02.000\nThe dipper dives.\n", "text/vtt")
    subtitles = person.index(site.add("/dipper.vtt", said))["id"]
    name_video(http, subtitles, page)
    ask_about_things(http, page, sound, table, subtitles)
    ask_for_passages(http, page)
    ask_of_imports(person, site)
    act_on_failures(person, site)
    act(http, page)
    ask_the_gateway(http)
    called = {each for each in operations(document("")) if "/webhooks/" in each}
    succeeded = {each for each, codes in checker.seen.items() if min(codes) < 300}
    assert operations(document("")) - called - {"GET /openapi.json"} == succeeded


def ask_about_things(http: httpx.Client, *things: str) -> None:
    for each in things:
        for path in ("", "/state", "/transcript.json"):
            assert http.get(f"/assets/{each}{path}").status_code == 200
    for path in ("/assets/none", "/assets/none/state", "/assets/none/transcript.json"):
        assert http.get(path).status_code == 404
    assert http.get("/healthz").status_code == 200
    listed = http.get("/", params={"per_page": 2})
    assert http.get(listed.json()["next"]).status_code == 200
    assert http.get("/", params={"watch": ",".join(things)}).status_code == 200
    assert http.get("/", params={"status": "nonsense"}).status_code == 400
    answer = http.post("/process", data={"url": "http://10.0.0.1/"})
    assert answer.status_code == 422


def name_video(http: httpx.Client, subtitles: str, page: str) -> None:
    told = {"video_url": "https://films.example/dipper.mp4"}
    named = http.post(f"/assets/{subtitles}/video", data=told)
    assert named.json()["asset"]["video_url"] == told["video_url"]
    assert http.post(f"/assets/{page}/video", data=told).status_code == 422
    assert http.post("/assets/none/video", data=told).status_code == 404


def ask_for_passages(http: httpx.Client, thing: str) -> None:
    for query in ("dipper", "a bird in a stream", "dipper kind:film", "zzz"):
        http.get("/search", params={"query": query})
    assert http.get("/search", params={"like": thing}).json()["like"] == thing
    assert http.get("/search", params={"query": "x", "kind": "data"}).json()["kind"] == "data"
    assert http.post("/search", data={"query": "dipper"}).json()["results"]
    asked = {"query": "dipper", "passages": f"{thing}:0,{thing}:1"}
    assert len(http.get("/search/sentences", params=asked).json()["passages"]) == 2
    assert http.get("/search/sentences", params={"passages": "x"}).status_code == 400
    assert http.get("/search/suggestions", params={"query": "zzz"}).json() == {"suggestions": []}


def ask_of_imports(person: Person, site: Site) -> None:
    http = person.http
    urls = "\n".join([site.add("/new", Page(b"<p>Wrens sing.</p>")), site.url("/none"), "no URL"])
    assert {each["code"] for each in http.post("/check", data={"urls": urls}).json()} == {200, 422}
    assert http.post("/check", data={"urls": ""}).status_code == 422
    made = http.post("/process", data={"urls": urls}).json()["import"]["address"]
    for act in ("pause", "resume"):
        assert http.post(f"{made}/{act}").status_code in (202, 409)
    wait_for(lambda: http.get(made).json()["import"]["state"] in ("done", "paused"), "looked at")
    assert http.get(f"{made}?fate=refused").json()["lines"]
    assert http.get(f"{made}?fate=nonsense").status_code == 400
    assert http.post(f"{made}/undo").status_code == 202
    assert http.get("/imports").json()["imports"]
    entries = [
        f"<item><link>{site.add(f'/entry/{number}', Page(b'<p>Larks.</p>'))}</link></item>"
        for number in range(60)
    ]
    feed = f"<rss version='2.0'><channel><title>Birds</title>{''.join(entries)}</channel></rss>"
    listed = person.index(site.add("/feed.xml", Page(feed.encode(), "application/rss+xml")))["id"]
    asking = f"/imports/{listed}"
    assert http.get(asking).json()["import"]["state"] == "to be confirmed"
    assert http.post(f"{asking}/confirm", data={"first": "x"}).status_code == 400
    assert http.post(f"{asking}/confirm", data={"first": "1"}).status_code == 202
    wait_for(lambda: http.post(f"{asking}/look").status_code == 202, "it can be looked at")


def act_on_failures(person: Person, site: Site) -> None:
    failed = person.submit(site.add("/failed.mp3", recording(end="fail")))
    assert person.finished(failed)["status"] == "PROCESSING_ERROR"
    endless = person.submit(site.add("/endless.mp3", recording(end="wait")))
    assert person.http.post(f"/assets/{endless}/cancel").status_code == 202
    assert person.http.post(f"/assets/{failed}/retry").status_code == 202


def act(http: httpx.Client, thing: str) -> None:
    assert http.post(f"/look-again/{thing}").status_code == 202
    for schedule, code in (("weekly", 200), ("default", 200), ("often", 400)):
        answer = http.post(f"/assets/{thing}/schedule", data={"schedule": schedule})
        assert answer.status_code == code
    for what in ("retry", "cancel"):
        assert http.post(f"/assets/{thing}/{what}").status_code == 409
        assert http.post(f"/assets/none/{what}").status_code == 404
    assert http.post(f"/assets/{thing}/delete", data={"things": "some"}).status_code == 400
    assert http.post(f"/assets/{thing}/delete").status_code == 200


def ask_the_gateway(http: httpx.Client) -> None:
    for show in ("events", "attempts", "requests"):
        assert http.get("/gateway", params={"show": show}).json()[show]
    (event, *_) = http.get("/gateway").json()["events"]
    assert http.post(f"/gateway/events/{event['id']}/retry").status_code == 202
    assert http.post("/gateway/events/none/retry").status_code >= 400
    assert http.post("/gateway/retry-failed").status_code == 202

"""No secret leaves a running copy: not in a log, on a page, in the database or a command line."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from bson import json_util
from pymongo import MongoClient

from localcloud.ports import pick_port
from tests.support.copies import PASSWORD, TOKEN
from tools.harness.cloud import ROOT, Cloud, clean_environment
from tools.harness.person import Person
from tools.harness.servers import Script, serving
from tools.harness.site import Page, Site, running_site
from tools.harness.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

NOBODY = "0" * 24
# Of an app of its own whose services are away, refuse or repeat what they are told.
OWN = {
    "SECRET_KEY": "session-key-5b1c0e77aa",
    "REPLICATE_API_TOKEN": "r8_Recognisable5b1c0e77aa",
    "HOOKDECK_WEBHOOK_SECRET": "gateway-secret-5b1c0e77aa",
    "APP_PASSWORD": "another-sesame-5b1c0e77aa",
    "API_TOKENS": "token-of-a-script-5b1c0e77aa",
}
MONGODB_PASSWORD = "database%2Fpassword-5b1c0e77aa"
AUDIO = Page(b"no sound", "audio/mpeg")
ARTICLE = "The dipper walks under water along the bed of the stream to look for larvae. " * 4


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site() as site:
        yield site


@pytest.fixture(scope="module")
def cloud(locked_copy: Cloud) -> Cloud:
    return locked_copy


@pytest.fixture(scope="module")
def person(cloud: Cloud) -> Iterator[Person]:
    person = Person(cloud)
    person.http.auth = ("", PASSWORD)
    yield person
    person.http.close()


def secrets_of(cloud: Cloud) -> dict[str, str]:
    secrets = {
        name: value
        for name, value in cloud.endpoints.items()
        if name.endswith(("_KEY", "_TOKEN", "_SECRET"))
    }
    assert len(secrets) == 5
    return {**secrets, "APP_PASSWORD": PASSWORD, "API_TOKENS": TOKEN}


def found_in(text: str, secrets: Mapping[str, str]) -> list[str]:
    """The names of the secrets that stand in the text, in any of their spellings."""
    spellings = {
        name: {value, json.dumps(value)[1:-1], value.removeprefix("whsec_")}
        for name, value in secrets.items()
    }
    return [name for name, ways in spellings.items() if any(way in text for way in ways)]


def pages(http: httpx.Client) -> dict[str, str]:
    """Every page there is, and the same as JSON."""
    assets = [f"/assets/{asset['id']}" for asset in things(http)]
    paths = ["/", "/?per_page=200", "/search", "/search?query=larvae", "/healthz", "/nothing"]
    paths += [*assets, f"/assets/{NOBODY}", "/search?query=" + "x" * 2001, "/static/app.js"]
    found = {}
    for path in paths:
        for accept in ("text/html", "application/json"):
            answer = http.get(path, headers={"Accept": accept})
            found[f"{path} as {accept}"] = f"{answer.headers}\n{answer.text}"
    return found


def things(http: httpx.Client) -> list[dict[str, Any]]:
    answer = http.get("/", params={"per_page": 200}, headers={"Accept": "application/json"})
    return list(answer.json().get("assets", []))


def logs(cloud: Cloud) -> dict[str, str]:
    files = [*cloud.data_dir.rglob("*.log"), *cloud.data_dir.rglob("*.log.1")]
    assert {path.parent.parent.name for path in files} >= {cloud.data_dir.name, "replicate"}
    files.append(cloud.data_dir / "launcher.stderr")
    return {str(path): path.read_text(errors="replace") for path in files}


def database(cloud: Cloud) -> dict[str, str]:
    client: MongoClient[dict[str, Any]]
    with MongoClient(cloud.endpoints["MONGODB_CONNECTION_URI"]) as client:
        held = {
            f"{name}.{collection}": json_util.dumps(list(client[name][collection].find()))
            for name in client.list_database_names()
            for collection in client[name].list_collection_names()
        }
    assert {"iaat.assets", "iaat.passages"} <= set(held)
    return held


def command_lines(cloud: Cloud) -> dict[str, str]:
    return {
        f"command line of {pid}": Path(f"/proc/{pid}/cmdline").read_text() for pid in cloud.pids()
    }


def leaks(texts: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, list[str]]:
    """Where a secret stands, and its name."""
    found = {place: found_in(text, secrets) for place, text in texts.items()}
    return {place: names for place, names in found.items() if names}


def do_good_and_bad(person: Person, site: Site, secrets: Mapping[str, str]) -> None:
    """Whatever makes the parts write logs, errors and history."""
    http = person.http
    person.index(site.add("/dipper", Page(f"<article><p>{ARTICLE}</p></article>".encode())))
    person.index(f"{person.cloud.address}/examples/tea.mp3")
    for path, page in {
        "/silent.mp3": AUDIO,
        "/gone.mp3": Page(b"x", "audio/mpeg", status=404, head_status=200),
        "/empty": Page(b"<p></p>"),
    }.items():
        failed = person.submit(site.add(path, page))
        assert person.finished(failed)["status"] == "PROCESSING_ERROR"
        assert http.post(f"/assets/{failed}/retry").status_code == 202
        person.finished(failed)
    person.refused("http://10.0.0.1/")
    person.refused(site.add("/font", Page(b"wOF2\0\1\0\0", "font/woff2")))
    person.refused("http://no-such-host.invalid/?token=x")
    person.search("larvae under water")
    for path in (f"audio/{NOBODY}", f"embedding/{NOBODY}/0-0"):
        for body in (b"", b"{", b"\xff", {"id": "p", "status": "failed"}):
            assert person.call_back(path, body).status_code in (400, 404)
            assert person.call_back(path, body, secret="wrong").status_code == 401
    with httpx.Client(base_url=person.cloud.address, timeout=PATIENCE) as stranger:
        assert stranger.post("/login", data={"password": PASSWORD + "x"}).status_code == 401
        assert stranger.post("/login", data={"password": PASSWORD}).status_code == 303
        assert stranger.get("/?page=x").status_code == 200
        assert stranger.get("/%ff%fe").status_code == 404
        for token, code in ((TOKEN, 200), (TOKEN + "x", 401)):
            headers = {"Authorization": f"Bearer {token}"}
            assert stranger.get("/", headers=headers).status_code == code
        assert stranger.post("/process", content=b"\0" * 2_000_000).status_code in (413, 422)
    endpoints = person.cloud.endpoints
    for name in ("REPLICATE_BASE_URL", "HOOKDECK_API_URL"):
        for token in ("wrong", *secrets.values()):
            headers = {"Authorization": f"Bearer {token}"}
            for path in ("/v1/predictions", "/2025-07-01/connections", "/nothing", "/%00"):
                httpx.get(endpoints[name] + path, headers=headers, timeout=PATIENCE)
                httpx.post(endpoints[name] + path, headers=headers, content=b"{", timeout=PATIENCE)
    httpx.post(endpoints["AUDIO_WEBHOOK_URL"], content=b"{}", timeout=PATIENCE)


@pytest.mark.slow("half a minute; logs and command lines are read without it")
def test_a_whole_copy_keeps_its_secrets(cloud: Cloud, person: Person, site: Site) -> None:
    secrets = secrets_of(cloud)
    do_good_and_bad(person, site, secrets)
    for pid in cloud.pids_of("localcloud.hookdeck"):
        os.kill(pid, 9)
    wait_for(lambda: person.http.get("/healthz").status_code == 200, "all is well again")
    held = [pages(person.http), logs(cloud), database(cloud), command_lines(cloud)]
    assert len(held[0]) > 20
    for texts in held:
        assert leaks(texts, secrets) == {}


def test_the_search_for_secrets_finds_them(cloud: Cloud) -> None:
    """It is written where it has to be: what looks for it would see it elsewhere."""
    secrets = secrets_of(cloud)
    written = (cloud.data_dir / "endpoints.env").read_text()
    assert set(found_in(written, secrets)) == set(secrets) - {"APP_PASSWORD", "API_TOKENS"}
    assert leaks({"here": json.dumps({"text": f"as {PASSWORD}"})}, secrets) == {
        "here": ["APP_PASSWORD"]
    }


# -- an app of its own, whose services are not well


@contextmanager
def running_app(cloud: Cloud, log: Path, env: Mapping[str, str]) -> Iterator[httpx.Client]:
    """An app of its own, its output in `log`, and a client that knows the password."""
    port = pick_port()
    (app, *_) = cloud.pids_of("-m serve")
    variables = dict(
        line.partition("=")[::2]
        for line in Path(f"/proc/{app}/environ").read_text().split("\0")
        if line.startswith("TOKENIZER=") or line.partition("=")[0].endswith("_WEBHOOK_URL")
    )
    settings = {**variables, **OWN, "FETCH_ALLOW": "127.0.0.1", **env}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "serve", "--port", str(port), "--access-log"],
            cwd=ROOT,
            env=clean_environment(log.parent, {**settings, "FLASK_SKIP_DOTENV": "1"}),
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return http.get("/static/app.js").status_code == 200
        except httpx.TransportError:
            return False

    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as http:
        http.auth = ("", OWN["APP_PASSWORD"])
        try:
            wait_for(answers, "the app answers")
            yield http
        finally:
            process.terminate()
            process.wait(60)


MORE = pytest.mark.slow("starts an app of its own; a refusal and a silence are tried without it")


def told_back(status: str) -> Script:
    """What a server does that says no and repeats all that it was told."""

    def script(connection: socket.socket, head: bytes) -> None:
        told = json.dumps({"detail": head.decode("latin-1"), "title": head.decode("latin-1")})
        lines = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{lines}Content-Length: {len(told)}\r\n\r\n{told}".encode())

    return script


@pytest.mark.parametrize(
    "trouble",
    ["away", "422 No", *(pytest.param(each, marks=MORE) for each in ("500 No", "200 OK"))],
)
def test_an_app_without_a_good_replicate_keeps_them(
    cloud: Cloud, site: Site, tmp_path: Path, trouble: str
) -> None:
    log = tmp_path / "app.log"
    with serving(told_back(trouble)) as server:
        address = server.url("") if trouble != "away" else f"http://127.0.0.1:{pick_port()}"
        env = {
            "REPLICATE_BASE_URL": address,
            "MONGODB_CONNECTION_URI": cloud.endpoints["MONGODB_CONNECTION_URI"],
        }
        with running_app(cloud, log, env) as http:
            url = site.add(f"/{trouble.replace(' ', '-')}.mp3", AUDIO)
            answer = http.post(
                "/process", data={"url": url}, headers={"Accept": "application/json"}
            )
            assert answer.status_code == 201
            found = http.get("/search?query=larvae", headers={"Accept": "application/json"})
            assert found.json()["words_alone"]
            assert http.post("/webhooks/audio/1", content=b"{}").status_code == 401
            shown = pages(http)
        assert bool(server.requests) == (trouble != "away")
        told = b"".join(server.requests).decode("latin-1")
    assert trouble == "away" or OWN["REPLICATE_API_TOKEN"] in told
    for texts in (shown, database(cloud), {"log": log.read_text()}):
        assert leaks(texts, {**OWN, **secrets_of(cloud)}) == {}


@pytest.mark.parametrize(
    "uri", ["mongodb://iaat:{}@127.0.0.1:{}/?directConnection=true&serverSelectionTimeoutMS=500"]
)
@pytest.mark.parametrize("there", [True, pytest.param(False, marks=MORE)])
def test_an_app_without_its_database_keeps_them(
    cloud: Cloud, tmp_path: Path, uri: str, there: bool
) -> None:
    """With a password that the database does not know, and with no database at all."""
    real = cloud.endpoints["MONGODB_CONNECTION_URI"].partition("127.0.0.1:")[2].partition("/")[0]
    log = tmp_path / "app.log"
    env = {
        "REPLICATE_BASE_URL": cloud.endpoints["REPLICATE_BASE_URL"],
        "MONGODB_CONNECTION_URI": uri.format(MONGODB_PASSWORD, real if there else pick_port()),
    }
    with running_app(cloud, log, env) as http:
        assert http.get("/").status_code == 503
        answer = http.post("/process", data={"url": "http://127.0.0.1:1/"})
        assert answer.status_code == 503
        shown = pages_without_things(http)
    written = log.read_text()
    assert '"GET / HTTP/1.1" 503' in written
    assert "MongoDB" in answer.text
    secrets = {**OWN, "MongoDB's": MONGODB_PASSWORD, "unquoted": "database/password-5b1c0e77aa"}
    for texts in ({**shown, "answer": answer.text}, {"log": written}):
        assert leaks(texts, secrets) == {}


def pages_without_things(http: httpx.Client) -> dict[str, str]:
    paths = ["/", "/search", "/search?query=x", f"/assets/{NOBODY}", "/healthz"]
    return {path: http.get(path).text for path in paths}

"""An app that other machines reach: as processes, with a password and without."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from allthethings.web.login import MAX_WAITING, PER_ADDRESS
from localcloud.ports import pick_port
from tests.support.copies import PASSWORD
from tools.harness import processes
from tools.harness.cloud import ROOT, Cloud, clean_environment, refusal, running_cloud
from tools.harness.waiting import PATIENCE, wait_for

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what this module is about
WHY = f"HOST={EVERYWHERE} lets other machines reach the app, and no password protects it."
WHAT_TO_DO = "Set APP_PASSWORD, or ALLOW_OPEN=1 if whoever reaches it may use it."
NOBODY = "0" * 24
# Its services are nowhere; what is asked of them here is answered before.
ALONE = {
    "SECRET_KEY": "of the tests",
    "MONGODB_CONNECTION_URI": "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100",
    "REPLICATE_API_TOKEN": "r8_of_the_tests",
    "REPLICATE_BASE_URL": "http://127.0.0.1:1",
    "HOOKDECK_WEBHOOK_SECRET": "gateway of the tests",
    "AUDIO_WEBHOOK_URL": "http://127.0.0.1:1/a",
    "IMAGE_WEBHOOK_URL": "http://127.0.0.1:1/i",
    "EMBEDDINGS_WEBHOOK_URL": "http://127.0.0.1:1/e",
}


def own_address() -> str | None:
    """An address of this machine that is not loopback, if it has one. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") else address


ADDRESS = own_address()
needs_address = pytest.mark.skipif(
    ADDRESS is None, reason="this machine has loopback addresses only"
)


@pytest.fixture(scope="module")
def tokenizer(cloud: Cloud) -> str:
    """The tokenizer that the copy's app uses, so that none is fetched."""
    (app, *_) = cloud.pids_of("-m serve")
    variables = Path(f"/proc/{app}/environ").read_text().split("\0")
    return next(one for one in variables if one.startswith("TOKENIZER=")).partition("=")[2]


@pytest.fixture(scope="module")
def cloud(locked_copy: Cloud) -> Cloud:
    return locked_copy


def serve(port: int, env: Mapping[str, str], tmp_path: Path) -> subprocess.Popen[str]:
    """The app as the README starts it on a server, open to every machine."""
    place = ["--host", EVERYWHERE, "--port", str(port)]
    return subprocess.Popen(
        [sys.executable, "-m", "serve", *place],
        cwd=ROOT,
        env={**clean_environment(tmp_path, ALONE), **env, "FLASK_SKIP_DOTENV": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def running_server(
    env: Mapping[str, str], tmp_path: Path
) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The port of an app that answers, and its process."""
    port = pick_port()
    process = serve(port, env, tmp_path)

    def answers() -> bool:
        assert process.poll() is None, process.communicate()[0]
        try:
            return httpx.get(f"http://127.0.0.1:{port}/static/app.js").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_for(answers, "the server answers")
        yield port, process
    finally:
        process.terminate()
        process.wait(PATIENCE)
        if process.stdout is not None:
            process.stdout.close()


def look(url: str, **headers: str) -> httpx.Response:
    """The page; an app without its database takes some seconds to say so."""
    return httpx.get(url, headers=headers, timeout=PATIENCE)


def test_the_launcher_refuses_without_a_password(tmp_path: Path) -> None:
    said = refusal(tmp_path / "var", HOST=EVERYWHERE)
    assert WHY in said
    assert WHAT_TO_DO in said
    assert not (tmp_path / "var" / "endpoints.env").exists()


@pytest.mark.parametrize(
    "host",
    [
        EVERYWHERE,
        *(
            pytest.param(
                host, marks=pytest.mark.slow("starts a server for one more name of a host")
            )
            for host in ("::", "nas.lan")
        ),
    ],
)
def test_the_server_refuses_without_a_password(host: str, tokenizer: str, tmp_path: Path) -> None:
    process = serve(pick_port(), {"HOST": host, "TOKENIZER": tokenizer}, tmp_path)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert WHY.replace(EVERYWHERE, host) in said
    assert WHAT_TO_DO in said


@pytest.mark.slow("starts a whole copy: 12 s; the server starts so without it")
def test_the_launcher_starts_when_it_may_be_open(tmp_path: Path) -> None:
    with running_cloud(tmp_path / "var", {"HOST": EVERYWHERE, "ALLOW_OPEN": "1"}) as cloud:
        port = cloud.address.rpartition(":")[2]
        for address in filter(None, ["127.0.0.1", ADDRESS]):
            assert look(f"http://{address}:{port}/search").status_code == 200


@pytest.mark.parametrize(
    ("env", "code"), [({"ALLOW_OPEN": "1"}, 503), ({"APP_PASSWORD": PASSWORD}, 303)]
)
def test_the_server_starts_when_it_may(
    env: dict[str, str], code: int, tokenizer: str, tmp_path: Path
) -> None:
    """503: it would show the page, if its database were there."""
    env = {**env, "HOST": EVERYWHERE, "TOKENIZER": tokenizer}
    with running_server(env, tmp_path) as (port, _):
        for address in filter(None, ["127.0.0.1", ADDRESS]):
            assert look(f"http://{address}:{port}/").status_code == code


@pytest.mark.slow("starts the app four times; one process is started without it")
def test_several_processes_serve_and_one_that_dies_is_replaced(
    tokenizer: str, tmp_path: Path
) -> None:
    env = {"ALLOW_OPEN": "1", "TOKENIZER": tokenizer, "PROCESSES": "2"}
    with running_server(env, tmp_path) as (port, process):

        def workers() -> set[int]:
            """Those that serve; the parent has one more, which keeps account of resources."""
            lines = {pid: processes.command_line(pid) for pid in processes.children(process.pid)}
            return {pid for pid, line in lines.items() if "spawn_main" in line}

        first = wait_for(workers, "the processes")
        assert len(first) == 2
        killed = min(first)
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: len(workers() - {killed}) == 2, "another process")
        assert look(f"http://127.0.0.1:{port}/static/app.js").status_code == 200
        process.terminate()
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said


@needs_address
def test_a_server_that_was_not_told_answers_this_machine_alone(
    tokenizer: str, tmp_path: Path
) -> None:
    """HOST is not set, and the server listens everywhere all the same."""
    with running_server({"TOKENIZER": tokenizer}, tmp_path) as (port, _):
        assert look(f"http://127.0.0.1:{port}/").status_code == 503
        for name in (f"{ADDRESS}:{port}", "localhost", "127.0.0.1"):
            answer = look(f"http://{ADDRESS}:{port}/", Host=name)
            assert answer.status_code == 403
            assert "APP_PASSWORD" in answer.text
            assert look(f"http://{ADDRESS}:{port}/healthz").status_code == 503


def client(cloud: Cloud, source: str) -> httpx.Client:
    """A browser without a session, at this address of loopback."""
    transport = httpx.HTTPTransport(local_address=source)
    return httpx.Client(base_url=cloud.address, transport=transport, timeout=PATIENCE)


def asked(
    cloud: Cloud, method: str, path: str, host: str = "127.0.0.1", **headers: str
) -> tuple[int, Message]:
    """The status and headers for a path that is sent as it stands, dots and all."""
    port = int(cloud.address.rpartition(":")[2])
    connection = HTTPConnection(host, port, timeout=PATIENCE)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers
    finally:
        connection.close()


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param(ADDRESS, marks=needs_address)])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("HEAD", "/"),
        ("OPTIONS", "/"),
        ("GET", "/?page=2"),
        ("GET", "/search"),
        ("GET", "/search?query=x"),
        ("GET", f"/assets/{NOBODY}"),
        ("GET", "/nothing"),
        ("GET", "/webhooks"),
        ("GET", "/Healthz"),
        ("GET", "/logout"),
        ("POST", "/process"),
        ("POST", f"/assets/{NOBODY}/retry"),
        ("POST", f"/assets/{NOBODY}/delete"),
        ("PUT", "/"),
        ("DELETE", f"/assets/{NOBODY}"),
    ],
)
def test_every_page_asks_for_the_password(cloud: Cloud, method: str, path: str, host: str) -> None:
    code, headers = asked(cloud, method, path, host=host)
    assert code == 303
    assert headers["Location"].startswith("/login?next=")
    assert asked(cloud, method, path, host=host, Accept="application/json")[0] == 401


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/login", 200),
        ("GET", "/static/style.css", 200),
        ("GET", "/examples/tea.mp3", 200),
        ("POST", f"/webhooks/audio/{NOBODY}", 401),
        ("POST", f"/webhooks/embedding/{NOBODY}/0-0", 401),
        ("GET", "/examples/../app.py", 404),
        ("GET", "/examples/%2e%2e/app.py", 404),
        ("GET", "/webhooks/../search", 404),
        ("GET", "/webhooks/%2e%2e/search", 404),
        ("GET", "//webhooks/../search", 404),
        ("POST", "/webhooks/../process", 404),
    ],
)
def test_what_machines_ask_is_open(cloud: Cloud, method: str, path: str, code: int) -> None:
    assert asked(cloud, method, path)[0] == code


def test_the_password_lets_in(cloud: Cloud) -> None:
    with client(cloud, "127.0.0.2") as browser:
        assert browser.post("/login", data={"password": PASSWORD}).headers["Location"] == "/"
        assert browser.get("/").status_code == 200
        assert browser.get("/search").status_code == 200
        assert browser.post("/logout").status_code == 303
        assert browser.get("/").status_code == 303
    with client(cloud, "127.0.0.2") as script:
        assert script.get("/", auth=("", PASSWORD)).status_code == 200
        assert script.get("/").status_code == 303


@needs_address
def test_what_leads_to_it_names_the_address_that_was_asked(cloud: Cloud) -> None:
    address = f"http://{ADDRESS}:{cloud.address.rpartition(':')[2]}"
    told = httpx.get(f"{address}/opensearch.xml", auth=("", PASSWORD), timeout=PATIENCE)
    assert f'template="{address}/search?' in told.text


def test_who_guesses_passwords_is_slowed_down(cloud: Cloud) -> None:
    """By the address that really asks, whatever a header says. The right one is accepted."""

    def guess(number: int) -> int:
        headers = {
            "X-Forwarded-For": f"192.0.2.{number}",
            "Forwarded": f"for=192.0.2.{number}",
        }
        with client(cloud, "127.0.0.3") as guesser:
            data = {"password": f"guess {number}"}
            return guesser.post("/login", data=data, headers=headers).status_code

    assert [guess(number) for number in range(PER_ADDRESS)] == [401] * PER_ADDRESS
    with ThreadPoolExecutor(4 * MAX_WAITING) as threads:
        codes = set(threads.map(guess, range(100, 100 + 4 * MAX_WAITING)))
    assert codes == {401, 429}
    for address in ("127.0.0.3", "127.0.0.4"):
        with client(cloud, address) as other:
            assert other.post("/login", data={"password": PASSWORD}).status_code == 303

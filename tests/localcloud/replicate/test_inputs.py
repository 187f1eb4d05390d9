"""Inputs that are URLs: fetched under guard before the model runs."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from replicate.client import Client

from tests.localcloud.replicate.replicate_process import ECHO, MODELS, Receiver, Server, said
from tools.harness.waiting import wait_for


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server that never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


class Dribbler:
    """Servers that send 3.6 kB a second of a long file to each client, and /quick at once."""

    def __init__(self, count: int) -> None:
        self._listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        for listener in self._listeners:
            listener.setblocking(False)
        ports = [listener.getsockname()[1] for listener in self._listeners]
        self.urls = [f"http://127.0.0.1:{port}" for port in ports]
        self._clients: list[socket.socket] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Dribbler:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        self._thread.join()
        for each in (*self._listeners, *self._clients):
            each.close()

    def _serve(self) -> None:
        while not self._stopping.wait(0.1):
            for listener in self._listeners:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        self._answer(listener.accept()[0])
            for client in self._clients:
                with contextlib.suppress(OSError):  # the client has gone
                    client.sendall(bytes(360))

    def _answer(self, client: socket.socket) -> None:
        quick = b"/quick" in client.recv(4096)
        length = 5 if quick else 2_000_000
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length)
        if quick:
            client.sendall(b"quick")
        self._clients.append(client)


def test_a_url_reaches_the_model_as_a_file(client: Client, receiver: Receiver) -> None:
    receiver.files["/a/some%20words.txt?x=1"] = b"from afar"
    url = f"{receiver.url}/a/some%20words.txt?x=1"
    done = client.predictions.create(ECHO, {"file": url}, wait=True)
    assert done.output == {"said": "from afar", "suffix": ".txt"}
    assert done.input == {"file": url}


def test_a_failed_download_fails_the_prediction(client: Client, receiver: Receiver) -> None:
    failed = client.predictions.create(ECHO, {"file": f"{receiver.url}/none"})
    failed.wait()
    assert failed.status == "failed"
    assert failed.error == f"could not download {receiver.url}/none: 404 Not Found"


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://[::ffff:192.168.0.1]/",
        "http://user:word@example.com/",
    ],
)
def test_a_refused_address(client: Client, url: str) -> None:
    failed = client.predictions.create(ECHO, {"file": url}, wait=10)
    assert failed.status == "failed"
    assert str(failed.error).startswith(f"could not download {url}: ")


def test_an_own_file_that_is_gone(client: Client, shared: Server) -> None:
    url = f"{shared.url}/v1/files/none"
    failed = client.predictions.create(ECHO, {"file": url}, wait=10)
    assert str(failed.error).startswith(f"could not download {url}: there is no such file")


def test_loopback_is_refused_unless_allowed(own: Server, receiver: Receiver) -> None:
    receiver.files["/a"] = b"secret"
    url = f"{receiver.url}/a"
    failed = own.client().predictions.create(ECHO, {"file": url}, wait=10)
    assert failed.status == "failed"
    assert str(failed.error).startswith(f"could not download {url}: ")


def test_too_large_and_too_slow(
    make_server: Callable[..., Server], receiver: Receiver, silent: str
) -> None:
    options = ("--max-input", "0.1", "--input-deadline", "1")
    client = make_server(*options, FETCH_ALLOW="127.0.0.1").client()
    receiver.files["/large"] = bytes(200_000)
    for url, reason in ((f"{receiver.url}/large", "larger than"), (silent, "within 1 s")):
        failed = client.predictions.create(ECHO, {"file": url}, wait=10)
        assert failed.status == "failed"
        assert reason in str(failed.error)


def test_a_slow_download_does_not_hold_up_the_model(client: Client, silent: str) -> None:
    slow = client.predictions.create(ECHO, {"file": silent})
    assert said(client.run("tests/echo", input={"text": "next"})) == "next"
    assert client.predictions.get(slow.id).status == "starting"
    slow.cancel()
    assert slow.status == "canceled"


@pytest.mark.parametrize("servers", [40, 1], ids=["forty servers", "its own server"])
def test_slow_downloads_do_not_keep_a_recording_waiting(client: Client, servers: int) -> None:
    """They send enough to be alive, for as long as the test lasts."""
    with Dribbler(servers) as dribbler:
        slow = [
            client.predictions.create(ECHO, {"file": f"{dribbler.urls[number % servers]}/slow"})
            for number in range(max(servers, 2))
        ]
        quick = client.predictions.create(ECHO, {"file": f"{dribbler.urls[0]}/quick"})
        wait_for(lambda: client.predictions.get(quick.id).status == "succeeded", "the recording")
        assert {client.predictions.get(one.id).status for one in slow} == {"starting"}
        for one in slow:
            one.cancel()


def test_nothing_of_an_input_is_left(shared: Server, client: Client) -> None:
    wait_for(lambda: list((shared.folder / "inputs").iterdir()) == [], "no file of an input")
    assert not list(MODELS.rglob(".cog")), "the models' folders stay as they are"
    assert client.models.get("tests/echo").name == "echo"

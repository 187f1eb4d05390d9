"""Inputs that are URLs: fetched under guard before the model runs."""

from __future__ import annotations

import socket
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


def test_nothing_of_an_input_is_left(shared: Server, client: Client) -> None:
    wait_for(lambda: list((shared.folder / "inputs").iterdir()) == [], "no file of an input")
    assert not list(MODELS.rglob(".cog")), "the models' folders stay as they are"
    assert client.models.get("tests/echo").name == "echo"

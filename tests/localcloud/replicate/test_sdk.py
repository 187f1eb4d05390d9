"""The real SDK, unchanged, against the server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from replicate.client import Client
from replicate.exceptions import ModelError, ReplicateError

from tests.localcloud.replicate.replicate_process import COUNT, ECHO, SECRET, TOKEN, Server, said
from tools.harness.waiting import wait_for


def test_models_and_versions(client: Client) -> None:
    model = client.models.get("tests/echo")
    assert (model.owner, model.name, model.description) == ("tests", "echo", "Says what it is told")
    version = client.models.get("tests/echo").versions.get(ECHO)
    assert model.latest_version == version
    assert version.id == ECHO
    properties = version.openapi_schema["components"]["schemas"]["Input"]["properties"]
    assert properties["file"]["format"] == "uri"
    for missing in (
        lambda: client.models.get("tests/none"),
        lambda: model.versions.get("0" * 64),
        lambda: client.predictions.get("none"),
        lambda: client.predictions.cancel("none"),
        lambda: client.files.get("none"),
        lambda: client.files.delete("none"),
    ):
        with pytest.raises(ReplicateError) as error:
            missing()
        assert error.value.status == 404
        assert error.value.detail


def test_create_get_and_wait(client: Client) -> None:
    created = client.predictions.create(version=ECHO, input={"text": "ho", "times": 2})
    assert len(created.id) == 26
    assert str(created.status) == "starting"
    assert created.input == {"text": "ho", "times": 2}
    created.wait()
    got = client.predictions.get(created.id)
    assert got.status == created.status
    assert got.status == "succeeded"
    assert got.output == {"said": "hoho", "suffix": None}
    assert got.logs == "mode echo\n"
    assert got.error is None
    assert (got.metrics or {})["predict_time"] > 0
    moments = [str(got.created_at), str(got.started_at), str(got.completed_at)]
    assert moments == sorted(moments)
    assert (got.urls or {})["get"].endswith(got.id)


@pytest.mark.parametrize("version", [ECHO, f"tests/echo:{ECHO}", "tests/echo"])
def test_each_way_to_name_a_version(client: Client, version: str) -> None:
    created = client.predictions.create(version=version, input={"text": "a"}, wait=True)
    assert said(created.output) == "a"


def test_run(client: Client) -> None:
    assert said(client.run(f"tests/echo:{ECHO}", input={"text": "a"})) == "a"
    assert said(client.run("tests/echo", input={"text": "b"}, wait=False)) == "b"
    assert list(client.run(f"tests/count:{COUNT}", input={"to": 3})) == ["1", "2", "3"]
    polled = client.run(f"tests/count:{COUNT}", input={"to": 3, "pause": 0.1}, wait=False)
    assert list(polled) == ["1", "2", "3"]


def test_async_twins(shared: Server) -> None:
    async def journey() -> None:
        client = shared.client()
        created = await client.predictions.async_create(version=ECHO, input={"text": "a"})
        await created.async_wait()
        assert said(created.output) == "a"
        assert said(await client.async_run("tests/echo", input={"text": "b"})) == "b"
        assert (await client.models.async_get("tests/echo")).name == "echo"
        assert (await client.webhooks.default.async_secret()).key == SECRET
        page = await client.predictions.async_list()
        assert created.id in {one.id for one in page}
        await client._async_client.aclose()

    asyncio.run(journey())


def test_account_and_secret(client: Client) -> None:
    assert client.accounts.current().type == "user"
    assert client.webhooks.default.secret().key == SECRET


def test_a_failed_prediction(client: Client) -> None:
    with pytest.raises(ModelError, match=r"^told to fail"):
        client.run("tests/echo", input={"mode": "fail"})
    failed = client.predictions.create(version=ECHO, input={"mode": "fail"})
    failed.wait()
    assert (failed.status, failed.output) == ("failed", None)
    assert failed.logs == "mode fail\n"


def test_waiting_is_over_before_the_prediction(client: Client) -> None:
    """The SDK takes any status but `starting` for the end, so `starting` it must be."""
    slow = client.predictions.create(version=ECHO, input={"mode": "sleep", "seconds": 60}, wait=1)
    assert slow.status == "starting"
    assert client.predictions.get(slow.id).status == "processing"
    slow.cancel()
    slow.wait()
    assert client.predictions.get(slow.id).status == "canceled"


@pytest.mark.parametrize("file", ["/etc/passwd", "file:///etc/passwd", " http://x/", "ftp://x/"])
def test_a_file_that_cog_would_fetch_itself(client: Client, file: str) -> None:
    with pytest.raises(ReplicateError) as error:
        client.predictions.create(version=ECHO, input={"file": file})
    assert (error.value.status, error.value.title) == (422, "Input validation failed")
    assert error.value.detail == "- input.file: Does not match format 'uri'\n"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"times": 11}, "times"),
        ({"times": "two"}, "times"),
        ({"times": None}, "times"),
        ({"mode": "sing"}, "mode"),
        ({"text": "x" * 1001}, "text"),
    ],
)
def test_cog_refuses_a_wrong_input(client: Client, given: Any, words: str) -> None:
    with pytest.raises(ModelError) as error:
        client.run("tests/echo", input=given)
    assert words in str(error.value)


def test_missing_input_and_unknown_fields(client: Client) -> None:
    with pytest.raises(ModelError, match="to"):
        list(client.run(f"tests/count:{COUNT}", input={}))
    assert said(client.run("tests/echo", input={"text": "a", "unknown": 1})) == "a"


@pytest.mark.parametrize("version", ["0" * 64, f"tests/count:{ECHO}", "tests/none", "none"])
def test_unknown_version(client: Client, version: str) -> None:
    with pytest.raises(ReplicateError) as error:
        client.predictions.create(version=version, input={})
    assert error.value.status == 422
    assert error.value.title == "Invalid version or not permitted"


def test_wrong_token(shared: Server) -> None:
    for token in ("wrong", TOKEN + "x", TOKEN[:-1]):
        client = shared.client(headers={"Authorization": f"Bearer {token}"})
        with pytest.raises(ReplicateError) as error:
            client.models.get("tests/echo")
        assert (error.value.status, error.value.title) == (401, "Unauthenticated")
    for header in (b"Bearer \xc3\xa9", b"Basic " + TOKEN.encode(), TOKEN.encode()):
        answer = httpx.get(f"{shared.url}/v1/account", headers={b"Authorization": header})
        assert answer.status_code == 401
    client = shared.client(headers={"Authorization": f"Token {TOKEN}"})
    assert client.models.get("tests/echo").name == "echo"


def test_files(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("from a file")
    stored = client.files.create(path)
    assert (stored.name, stored.size) == ("words.txt", 11)
    assert client.files.get(stored.id).checksums == stored.checksums
    assert client.files.delete(stored.id)
    with pytest.raises(ReplicateError, match="404"):
        client.files.get(stored.id)


def test_files_as_inputs(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "some words.txt"
    path.write_text("from a file")
    ways: list[Any] = [{}, {"file_encoding_strategy": "base64"}]
    for way in ways:
        with path.open("rb") as file:
            output = client.run(f"tests/echo:{ECHO}", input={"file": file}, **way)
        assert output == {"said": "from a file", "suffix": ".txt"}


@pytest.mark.parametrize(
    "metadata",
    [
        {"files": {"metadata": ("blob", b'{"a": 1}', "application/json")}},
        {"data": {"metadata": '{"a": 1}'}},
    ],
)
def test_metadata_of_files(shared: Server, metadata: dict[str, Any]) -> None:
    files = {"content": ("words.txt", b"words", "text/plain"), **metadata.get("files", {})}
    with httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        answer = client.post(f"{shared.url}/v1/files", files=files, data=metadata.get("data"))
        assert answer.status_code == 201
        stored = answer.json()
        assert (stored["name"], stored["metadata"]) == ("words.txt", {"a": 1})
        assert client.get(stored["urls"]["get"]).json() == stored
        assert client.get(f"{shared.url}/v1/files").json()["results"][0] == stored


@pytest.mark.parametrize("metadata", ["", "[1]", "nonsense", '{"a": NaN}'])
def test_bad_metadata(shared: Server, metadata: str) -> None:
    answer = httpx.post(
        f"{shared.url}/v1/files",
        files={"content": ("words.txt", b"words", "text/plain")},
        data={"metadata": metadata},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert answer.status_code == 422
    assert "metadata must be a JSON object" in answer.text


def test_metadata_by_name(shared: Server) -> None:
    """As version 2 of the SDK sends it."""
    answer = httpx.post(
        f"{shared.url}/v1/files",
        files={"content": ("words.txt", b"words", "text/plain")},
        data={"metadata[a]": "1", "metadata[b]": "two"},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert answer.json()["metadata"] == {"a": "1", "b": "two"}


def test_lists(client: Client) -> None:
    model = client.models.get("tests/echo")
    assert model.name in {one.name for one in client.models.list()}
    assert [one.id for one in model.versions.list()] == [ECHO]


def test_a_deadline(shared: Server) -> None:
    """A prediction whose model has begun is canceled then, one that still waits is aborted."""
    body = {"version": ECHO, "input": {"mode": "sleep", "seconds": 60}}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=f"{shared.url}/v1", headers=headers) as http:

        def made(limit: str) -> str:
            answer = http.post("/predictions", json=body, headers={"Cancel-After": limit}).json()
            assert answer["deadline"] > answer["created_at"]
            return str(answer["id"])

        def status(prediction_id: str) -> str:
            return str(http.get(f"/predictions/{prediction_id}").json()["status"])

        first = made("15s")
        wait_for(lambda: status(first) == "processing", "the first to begin")
        second = made("5s")
        wait_for(lambda: status(second) == "aborted", "the deadline of the second")
        wait_for(lambda: status(first) == "canceled", "the deadline of the first")


def test_the_api_without_its_version(shared: Server) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.get(f"{shared.url}/account", headers=headers).json()["username"] == "local"
    assert httpx.get(f"{shared.url}/account").status_code == 401
    assert httpx.get(f"{shared.url}/healthz").status_code == 200

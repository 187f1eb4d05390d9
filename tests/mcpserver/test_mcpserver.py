"""The MCP server over stdio, by the SDK's own client: it submits, waits, searches and reads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import anyio
import pytest
from mcp import Client, StdioServerParameters, stdio_client
from mcp.types import TextContent
from werkzeug.serving import make_server

from allthethings.assets.asset import AssetStatus
from localcloud.ports import pick_port
from mcpserver.answers import place_in_words
from tests.allthethings.web.in_memory import Memory, make_app, make_asset
from tools.harness.cloud import ROOT, Cloud
from tools.harness.site import Page, Site, running_site
from tools.harness.waiting import PATIENCE

TOKEN = "of-the-model-that-asks"
NOBODY = "0" * 24
SENTENCE = "The dipper walks under water along the bed of the stream."
ARTICLE = "".join(
    f"<h2>Part {number}</h2><p>{sentence} " + "It is about birds of the hills. " * 30 + "</p>"
    for number, sentence in enumerate(["Larks sing in flight.", SENTENCE, "Wrens are loud."])
)
Answer = TypeVar("Answer")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site() as site:
        yield site


@pytest.fixture
def locked() -> Iterator[str]:
    """The address of an app with a password and a token, over one thing that failed."""
    failed = make_asset(1, AssetStatus.PROCESSING_ERROR, error="There is no speech in it.")
    app = make_app(Memory([failed]), app_password="of the tests", api_tokens=(TOKEN,))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def asking(address: str, ask: Callable[[Client], Awaitable[Answer]], token: str = "") -> Answer:
    """What `ask` finds out from a server for the app at that address."""

    async def run() -> Answer:
        env = {
            "PYTHONPATH": str(ROOT),
            "ALL_THE_THINGS_URL": address,
            "ALL_THE_THINGS_TOKEN": token,
        }
        server = StdioServerParameters(
            command=sys.executable, args=["-m", "mcpserver"], env=env, cwd="/"
        )
        with anyio.fail_after(PATIENCE):
            async with Client(stdio_client(server)) as client:
                return await ask(client)

    return anyio.run(run)


async def told(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured answer of a tool."""
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    assert answer.structured_content is not None
    return dict(answer.structured_content)


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """The sentence with which a tool refuses."""
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error
    (content,) = answer.content
    assert isinstance(content, TextContent)
    return content.text


async def finished(client: Client, thing: str) -> dict[str, Any]:
    """The state of a thing when nothing more happens to it."""
    while True:
        state = await told(client, "state", thing=thing)
        if state["searchable"] or state["failed"]:
            return state
        await anyio.sleep(0.1)


def test_a_model_finds_the_sentence_of_what_it_submitted(quick_copy: Cloud, site: Site) -> None:
    url = site.add("/dipper", Page(f"<article><h1>Birds</h1>{ARTICLE}</article>".encode()))

    async def ask(client: Client) -> None:
        submitted = await told(client, "submit", url=url)
        thing = submitted["thing"]
        assert (submitted["url"], submitted["message"]) == (url, f"Indexing {url}")
        assert (await finished(client, thing))["searchable"]
        assert "already" in (await told(client, "submit", url=url))["message"]

        query = "dipper under water"
        found = (await told(client, "search", query=query, kind="web page"))["results"][0]
        assert (found["thing"], found["title"], found["kind"]) == (thing, "Birds", "web page")
        best = found["passages"][0]
        assert (best["sentence"], best["place"]) == (SENTENCE, "under the heading Part 1")
        assert best["link"].startswith(f"{url}#:~:text=")
        assert (await told(client, "search", query=query, site="example.org"))["results"] == []
        misspelt = await told(client, "search", query="diper")
        assert "Did you mean: dipper" in misspelt["note"]

        here = await told(client, "read", thing=thing, position=best["position"], around=0)
        assert [each["text"] for each in here["passages"]] == [best["text"]]
        whole = await told(client, "read", thing=thing, around=9)
        assert len(whole["passages"]) == whole["passages_in_all"] > 2
        assert [each["position"] for each in whole["passages"]] == [
            *range(whole["passages_in_all"])
        ]
        beyond = await refused(client, "read", thing=thing, position=whole["passages_in_all"])
        assert beyond.endswith(f"the last position is {whole['passages_in_all'] - 1}.")

        gone = site.url("/none")
        assert "answered 404" in await refused(client, "submit", url=gone)
        assert "There is no kind 'film'" in await refused(client, "search", query="x", kind="film")

    asking(quick_copy.address, ask)


def test_the_tools_describe_themselves(locked: str) -> None:
    async def ask(client: Client) -> dict[str, Any]:
        return {tool.name: tool for tool in (await client.list_tools()).tools}

    tools = asking(locked, ask)
    assert set(tools) == {"search", "read", "submit", "state"}
    for name, tool in tools.items():
        assert tool.description
        assert all(each.get("description") for each in tool.input_schema["properties"].values())
        assert tool.annotations.read_only_hint is (name != "submit")


def test_a_token_opens_an_app_with_a_password(locked: str) -> None:
    async def ask(client: Client) -> tuple[dict[str, Any], str, str]:
        state = await told(client, "state", thing=f"{1:024x}")
        unread = await refused(client, "read", thing=f"{1:024x}")
        return state, unread, await refused(client, "state", thing=NOBODY)

    state, unread, nobody = asking(locked, ask, TOKEN)
    assert (state["failed"], state["searchable"]) == (True, False)
    assert "It cannot be read: " in unread
    assert unread.endswith("There is no speech in it.")
    assert "does not exist" in nobody

    for token in ("", "wrong"):
        told_why = asking(locked, lambda client: refused(client, "search", query="x"), token)
        assert "ALL_THE_THINGS_TOKEN has to be one of its API_TOKENS" in told_why
        assert TOKEN not in told_why


def test_a_bad_id_reaches_no_other_route(locked: str) -> None:
    async def ask(client: Client) -> list[str]:
        bad = ("", "../process", "x" * 24, "0" * 25)
        return [await refused(client, "state", thing=thing) for thing in bad]

    assert all("should match pattern" in why for why in asking(locked, ask, TOKEN))


def test_it_says_where_it_looked_for_the_app() -> None:
    address = f"http://127.0.0.1:{pick_port()}"
    why = asking(address, lambda client: refused(client, "search", query="x"))
    assert f"No app answers at {address}:" in why
    assert "ALL_THE_THINGS_URL" in why


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"ALL_THE_THINGS_URL": "things.example"}, "ALL_THE_THINGS_URL has to be"),
        ({"ALL_THE_THINGS_URL": f"http://any:{TOKEN}@127.0.0.1"}, "ALL_THE_THINGS_URL has to be"),
        ({"ALL_THE_THINGS_TOKEN": f"{TOKEN}\n{TOKEN}"}, "ALL_THE_THINGS_TOKEN has characters"),
        ({"ALL_THE_THINGS_TOKEN": f"{TOKEN}\u00e9"}, "ALL_THE_THINGS_TOKEN has characters"),
    ],
)
def test_settings_that_cannot_work_are_named_and_not_quoted(
    settings: dict[str, str], why: str
) -> None:
    start = subprocess.run(
        [sys.executable, "-m", "mcpserver"],
        cwd=ROOT,
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (start.returncode, start.stdout) == (1, "")
    assert start.stderr.startswith(why)
    assert TOKEN not in start.stderr


def test_what_is_no_such_app_is_named(site: Site) -> None:
    page = site.add("/app/search", Page(b"<p>Hello</p>")).removesuffix("/search")
    why = asking(page, lambda client: refused(client, "search", query="x"))
    assert "answered 200, which is no answer of this app's API" in why


@pytest.mark.parametrize(
    ("locator", "words"),
    [
        ({"start": 61.5, "end": 3_670.0}, "1:01 to 1:01:10"),
        ({"page": 3}, "page 3"),
        ({"slide": 3}, "slide 3"),
        ({"slide": 3, "to": 5}, "slides 3 to 5"),
        ({"sheet": "May"}, "sheet May"),
        ({"rows": [2, 9]}, "rows 2 to 9"),
        ({"lines": [2, 9]}, "lines 2 to 9"),
        ({"heading": "Birds"}, "under the heading Birds"),
        ({}, ""),
    ],
)
def test_places_are_told_in_words(locator: dict[str, Any], words: str) -> None:
    assert place_in_words(locator) == words

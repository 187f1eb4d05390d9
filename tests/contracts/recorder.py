"""A server in a vendor's place: it keeps what the app sends, and answers as the contract tells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jsonschema import Draft202012Validator

from tools.check_contracts import resolved
from tools.harness.servers import QuietHandler, http_server

TEXTS = {
    "date-time": "2026-11-29T12:00:00.123Z",
    "uri": "https://of-the-example.test/it",
    None: "of-the-example",
}


@dataclass(frozen=True)
class Recorded:
    """A request as it came over the wire. `call` is how the contract names it, or its own path."""

    call: str
    query: Mapping[str, Any]
    headers: Mapping[str, str]
    media: str
    body: bytes

    @property
    def content(self) -> Any:
        """The body: JSON, or the fields of a form."""
        if self.media == "application/json":
            return json.loads(self.body)
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = message_from_bytes(head + self.body, policy=HTTP).iter_parts()
        return {
            part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
            for part in parts
        }


@dataclass
class Recorder:
    """What came so far. With `full` the answers have everything that a vendor may tell, else only
    what it promises and the app cannot do without. `answers` replaces those of some calls."""

    contract: Mapping[str, Any]
    address: str
    full: bool
    answers: Mapping[str, Any] = field(default_factory=dict)
    requests: list[Recorded] = field(default_factory=list)

    def answer(self, call: str) -> tuple[int, bytes]:
        """The status and the body with which a call is answered."""
        told = self.contract["calls"].get(call)
        if told is None:
            return 500, b"{}"
        status, schema = next(iter(told["answers"].items()))
        if schema is None:
            return int(status), b""
        made = self.answers.get(call, example(schema, self.contract, full=self.full))
        return int(status), json.dumps(made).encode()

    def problems(self) -> list[str]:
        """What is sent otherwise than the contract says."""
        return [problem for each in self.requests for problem in self._problems_of(each)]

    def _problems_of(self, sent: Recorded) -> Iterator[str]:
        told = self.contract["calls"].get(sent.call)
        if told is None:
            yield f"{sent.call} is not in the contract"
            return
        for what, value in (("query", sent.query), ("headers", dict(sent.headers))):
            nothing = {"maxProperties": 0} if what == "query" else {}
            yield from self._faults(sent, what, value, told.get(what, nothing))
        if "sends" not in told:
            if sent.body:
                yield f"{sent.call} has a body"
            return
        [(media, schema)] = told["sends"].items()
        if sent.media != media:
            yield f"{sent.call} is sent as {sent.media}"
        else:
            content = sent.content
            if media == "multipart/form-data":
                content = {name: value.decode("latin-1") for name, value in content.items()}
            yield from self._faults(sent, "body", content, schema)

    def _faults(self, sent: Recorded, what: str, value: Any, schema: Any) -> Iterator[str]:
        checker = Draft202012Validator({**schema, "values": self.contract["values"]})
        for error in checker.iter_errors(value):
            yield f"{sent.call} {what} {error.json_path}: {error.message}"


@contextmanager
def recording(
    contract: Mapping[str, Any], *, full: bool = True, answers: Mapping[str, Any] | None = None
) -> Iterator[Recorder]:
    """A recorder that serves for the length of a `with` block."""
    recorder = Recorder(contract, "", full, answers or {})

    class Handler(QuietHandler):
        def answer(self) -> None:
            sent = _recorded(self, contract)
            recorder.requests.append(sent)
            status, body = recorder.answer(sent.call)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = answer

    with http_server(Handler) as recorder.address:
        yield recorder


def _recorded(request: BaseHTTPRequestHandler, contract: Mapping[str, Any]) -> Recorded:
    parts = urlsplit(request.path)
    call = _named(request.command, parts.path, contract)
    told = contract["calls"].get(call, {}).get("query", {}).get("properties", {})
    query = {
        name: _typed(values, _followed(told.get(name, {}), contract))
        for name, values in parse_qs(parts.query).items()
    }
    media = (request.headers["Content-Type"] or "").partition(";")[0]
    body = request.rfile.read(int(request.headers["Content-Length"] or 0))
    headers = {name.title(): value for name, value in request.headers.items()}
    return Recorded(call, query, headers, media, body)


def _typed(values: list[str], schema: Mapping[str, Any]) -> Any:
    """A parameter of a query: one that comes several times is a list."""
    if len(values) > 1:
        return values
    return int(values[0]) if schema.get("type") == "integer" else values[0]


def _named(method: str, path: str, contract: Mapping[str, Any]) -> str:
    """The call of the contract with this path, such as `GET /predictions/{prediction_id}`."""
    for call in contract["calls"]:
        wanted, template = call.split()
        pattern = contract["base"] + re.sub(r"\{\w+\}", "[^/]+", template)
        if method == wanted and re.fullmatch(pattern, path):
            return str(call)
    return f"{method} {path}"


def example(schema: Mapping[str, Any], contract: Mapping[str, Any], *, full: bool) -> Any:
    """A value that the schema allows."""
    schema = _followed(schema, contract)
    if "enum" in schema:
        return schema["enum"][0]
    told = schema.get("type", "string")
    kind = told if isinstance(told, str) else told[0]
    if kind == "object":
        names = [*schema.get("properties", ())] if full else _needed(schema)
        return {
            name: example(schema["properties"][name], contract, full=full)
            for name in names
            if name in schema.get("properties", {})
        }
    if kind == "array":
        items = _followed(schema["items"], contract)
        nulls = [None] if full and "null" in items.get("type", ()) else []
        return [example(items, contract, full=full), *nulls]
    plain: Mapping[str, Any] = {"integer": 7, "boolean": True, "null": None}
    return plain[kind] if kind in plain else TEXTS[schema.get("format")]


def _followed(schema: Mapping[str, Any], contract: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself, or the one that it refers to."""
    found: Mapping[str, Any] = resolved(contract, schema["$ref"]) if "$ref" in schema else schema
    return found


def _needed(schema: Mapping[str, Any]) -> list[str]:
    """What an object always has. `x-needed` is what the app relies on although the vendor's
    document does not promise it."""
    return [*schema.get("required", ()), *schema.get("x-needed", ())]

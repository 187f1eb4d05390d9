"""The comparison with the vendors' documents finds what has changed in them."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tools.check_contracts import differences, read_contracts
from tools.harness.cloud import ROOT
from tools.harness.reference import MISSING, REFERENCE

SPECS = REFERENCE / "specs"
TITLE = "Hookdeck Admin REST API"
CONTRACT = read_contracts()[TITLE]


@pytest.mark.parametrize("name", ["replicate.json", "hookdeck-2025-07-01.json"])
def test_the_vendors_documents_say_what_the_app_relies_on(name: str) -> None:
    if not (SPECS / name).is_file():
        pytest.skip(MISSING)
    document = json.loads((SPECS / name).read_text("utf-8"))
    assert [*differences(read_contracts()[document["info"]["title"]], document)] == []


def document_of(contract: Mapping[str, Any]) -> dict[str, Any]:
    """A vendor's document that says what the contract says."""
    paths: dict[str, Any] = {}
    for call, told in contract["calls"].items():
        method, path = call.split()
        query = told.get("query", {}).get("properties", {})
        operation: dict[str, Any] = {
            "parameters": [
                {"name": name, "in": "query", "schema": schema} for name, schema in query.items()
            ],
            "responses": {
                status: {"content": {"application/json": {"schema": schema}}}
                for status, schema in told["answers"].items()
            },
        }
        if "sends" in told:
            content = {media: {"schema": schema} for media, schema in told["sends"].items()}
            operation["requestBody"] = {"required": True, "content": content}
        paths.setdefault(path, {})[method.lower()] = operation
    return copy.deepcopy(
        {"info": {"title": contract["title"]}, "paths": paths, "values": contract["values"]}
    )


def connection(document: Any) -> Any:
    """The schema of what `PUT /connections` takes."""
    body = document["paths"]["/connections"]["put"]["requestBody"]
    return body["content"]["application/json"]["schema"]


def need(schema: Any, name: str) -> None:
    schema["properties"][name] = {"type": "string"}
    schema["required"] = [*schema.get("required", ()), name]


PLANTED: Mapping[str, Callable[[Any], object]] = {
    "GET /attempts: the document does not have it any more.": (
        lambda document: document["paths"].pop("/attempts")
    ),
    "GET /events: it has no query webhook_id any more.": (
        lambda document: document["paths"]["/events"]["get"]["parameters"].pop(1)
    ),
    "GET /events: it needs the query team now.": (
        lambda document: document["paths"]["/events"]["get"]["parameters"].append(
            {"name": "team", "in": "query", "required": True, "schema": {"type": "string"}}
        )
    ),
    "POST /events/{id}/retry: it needs a body now.": (
        lambda document: document["paths"]["/events/{id}/retry"]["post"].update(
            requestBody={"required": True, "content": {}}
        )
    ),
    "PUT /connections request: team is needed now.": (
        lambda document: need(connection(document), "team")
    ),
    "PUT /connections request.source: there is no config any more.": (
        lambda document: connection(document)["properties"]["source"]["properties"].pop("config")
    ),
    "PUT /connections request.rules[].count: the app sends integer, the document says string.": (
        lambda document: connection(document)["properties"]["rules"]["items"]["properties"].update(
            count={"type": "string"}
        )
    ),
    "PUT /connections request.source.type: the app sends REPLICATE, the document allows SVIX.": (
        lambda document: connection(document)["properties"]["source"]["properties"].update(
            type={"type": "string", "enum": ["SVIX"]}
        )
    ),
    "PUT /connections: it takes no application/json any more.": (
        lambda document: document["paths"]["/connections"]["put"]["requestBody"].update(content={})
    ),
    "POST /bulk/events/retry: it does not answer 200 any more.": (
        lambda document: document["paths"]["/bulk/events/retry"]["post"].update(responses={})
    ),
    "POST /events/{id}/retry: it answers 202 too.": (
        lambda document: document["paths"]["/events/{id}/retry"]["post"]["responses"].update(
            {"202": {}}
        )
    ),
    "GET /attempts 200.models[]: there is no event_id any more.": (
        lambda document: document["values"]["attempt"]["properties"].pop("event_id")
    ),
    "GET /attempts 200.models[]: event_id is not always there any more.": (
        lambda document: document["values"]["attempt"]["required"].remove("event_id")
    ),
    "GET /attempts 200.models[].created_at: the app reads string, "
    "the document says null, string.": (
        lambda document: document["values"]["attempt"]["properties"]["created_at"].update(
            nullable=True
        )
    ),
    "GET /attempts 200.models[].status: the app knows FAILED, SUCCESSFUL, "
    "the document says FAILED, LOST, SUCCESSFUL.": (
        lambda document: document["values"]["attempt"]["properties"]["status"]["enum"].append(
            "LOST"
        )
    ),
}


def test_a_document_that_says_the_same_differs_in_nothing() -> None:
    assert [*differences(CONTRACT, document_of(CONTRACT))] == []


@pytest.mark.parametrize("line", PLANTED)
def test_what_has_changed_is_told(line: str) -> None:
    document = document_of(CONTRACT)
    PLANTED[line](document)
    assert [*differences(CONTRACT, document)] == [line]


def test_alternatives_and_references_are_followed() -> None:
    """As vendors write what may be one thing or another."""
    document = document_of(CONTRACT)
    attempt = document["values"].pop("attempt")
    attempt["type"] = "object"
    document["values"]["kept"] = attempt
    document["values"]["attempt"] = {"oneOf": [{"$ref": "#/values/kept"}, {"type": "null"}]}
    assert [*differences(CONTRACT, document)] == []


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.check_contracts", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_tells_the_differences(tmp_path: Path) -> None:
    same, changed = tmp_path / "same.json", tmp_path / "changed.json"
    document = document_of(CONTRACT)
    same.write_text(json.dumps(document))
    document["paths"].pop("/attempts")
    changed.write_text(json.dumps(document))
    ran = check(str(same))
    assert (ran.returncode, ran.stdout) == (0, f"{TITLE}: no differences\n")
    ran = check(str(same), str(changed))
    assert ran.returncode == 1
    assert "  GET /attempts: the document does not have it any more.\n" in ran.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [("[]", "no OpenAPI document"), ('{"info": {"title": "Another"}}', "is 'Another'. Known are:")],
)
def test_a_document_of_nobody_known_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "document.json"
    path.write_text(content)
    ran = check(str(path))
    assert ran.returncode == 2
    assert message in ran.stderr

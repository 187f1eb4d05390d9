"""A kind whose text a model brings needs nothing but its line in PROCESSORS: its callbacks have
a route, a connection, a setting and a place among the deliveries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from flask.testing import FlaskClient

from allthethings.assets.asset import AssetStatus
from allthethings.assets.passages import Piece
from allthethings.hookdeck.connections import EMBEDDINGS, Connection, connection_of
from allthethings.hookdeck.deliveries import callback_of
from allthethings.processors import registry, webhooks
from allthethings.processors.model_processor import ModelProcessor
from allthethings.processors.processor import Content, Model, svg
from config import Settings, SettingsError
from tests.allthethings.web.in_memory import Memory, make_app, make_asset, rendered, text_of
from tools.harness.signing import SIGNATURE, signature

SECRET = "gateway of the tests"
ENV = {
    "SECRET_KEY": "s",
    "MONGODB_CONNECTION_URI": "mongodb://127.0.0.1:1/",
    "REPLICATE_API_TOKEN": "r8_x",
    "HOOKDECK_WEBHOOK_SECRET": SECRET,
    "AUDIO_WEBHOOK_URL": "https://gateway.test/a",
    "IMAGE_WEBHOOK_URL": "https://gateway.test/i",
    "EMBEDDINGS_WEBHOOK_URL": "https://gateway.test/e",
}


class ScentProcessor(ModelProcessor):
    """A scent, described by a model that does not exist. No real kind takes its content type."""

    kind: ClassVar = "scent"
    accepts: ClassVar = ("application/x-scent",)
    model: ClassVar = Model("v1", webhook="scent", url_input="scent")
    mark: ClassVar = svg("M2 2h12v12H2z")

    def request(self, url: str) -> dict[str, Any]:
        return {"scent": url}

    def read(self, output: Any) -> Content:
        return Content((Piece(output),), output)


@dataclass
class Recording(Memory):
    """Keeps what the callbacks bring."""

    texts: list[tuple[str, object]] = field(default_factory=list)
    deliveries: list[Mapping[str, Any]] = field(default_factory=list)

    def record_text(self, asset_id: str, payload: object) -> None:
        self.texts.append((asset_id, payload))

    def note_delivery(self, _asset_id: str, delivery: Mapping[str, Any]) -> None:
        self.deliveries.append(delivery)


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line in the registry."""
    monkeypatch.setattr(registry, "PROCESSORS", (*registry.PROCESSORS, ScentProcessor))


def post(client: FlaskClient, path: str, secret: str = SECRET) -> int:
    body = json.dumps({"id": "p1", "status": "succeeded", "output": "Damp moss."}).encode()
    headers = {SIGNATURE: signature(secret, body), "x-hookdeck-eventid": "evt_1"}
    return client.post(path, data=body, headers=headers).status_code


@pytest.mark.usefixtures("declared")
def test_its_callbacks_have_a_route() -> None:
    memory = Recording([make_asset(1, AssetStatus.PROCESSING, content_type="application/x-scent")])
    client = make_app(memory).test_client()
    asset_id = memory.things[0].id
    assert post(client, f"/webhooks/scent/{asset_id}", secret="another") == 401
    assert post(client, f"/webhooks/scent/{asset_id}") == 200
    assert post(client, f"/webhooks/audio/{asset_id}") == 200
    assert [found for found, _ in memory.texts] == [asset_id, asset_id]
    assert [delivery["event"] for delivery in memory.deliveries] == ["evt_1", "evt_1"]


def test_without_its_line_there_is_no_route() -> None:
    assert post(make_app(Recording()).test_client(), f"/webhooks/scent/{1:024x}") == 404


@pytest.mark.usefixtures("declared")
def test_its_callbacks_have_a_connection() -> None:
    assert [connection_of(webhook) for webhook in webhooks()] == [
        Connection("replicate-audio", "/webhooks/audio", "AUDIO_WEBHOOK_URL"),
        Connection("replicate-image", "/webhooks/image", "IMAGE_WEBHOOK_URL"),
        Connection("replicate-scent", "/webhooks/scent", "SCENT_WEBHOOK_URL"),
    ]
    assert EMBEDDINGS.variable == "EMBEDDINGS_WEBHOOK_URL"


@pytest.mark.usefixtures("declared")
def test_its_callbacks_have_a_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SCENT_WEBHOOK_URL", raising=False)
    with pytest.raises(SettingsError, match="SCENT_WEBHOOK_URL"):
        Settings.from_env(tmp_path / "none")
    monkeypatch.setenv("SCENT_WEBHOOK_URL", "https://gateway.test/s/")
    settings = Settings.from_env(tmp_path / "none")
    assert settings.webhook_urls == {
        "audio": "https://gateway.test/a",
        "image": "https://gateway.test/i",
        "scent": "https://gateway.test/s",
    }


def test_its_callbacks_are_known_among_the_deliveries() -> None:
    found = callback_of(f"https://things.test/webhooks/scent/{1:024x}")
    assert (found.asset_id, found.subject) == (f"{1:024x}", "text")


@pytest.mark.usefixtures("declared")
def test_its_things_are_shown_as_their_kind() -> None:
    thing = make_asset(1, AssetStatus.SUBMITTED, content_type="application/x-scent")
    tree = rendered(Memory([thing]), f"/assets/{thing.id}")
    assert text_of(tree, "//*[@class='facts']/span")[1] == "scent"
    assert text_of(tree, "//*[@data-doing]") == ["Being sent to the model"]
    assert "scent" in text_of(rendered(Memory([thing]), "/"), "//*[@id='kinds']")[0]

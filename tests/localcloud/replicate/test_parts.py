"""The parts that decide without a server: manifests, requests, inputs, schemas, secrets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cog
import pytest
from cog import Input

from localcloud.replicate.describe import document
from localcloud.replicate.prediction_request import read_request
from localcloud.replicate.prediction_store import Prediction, PredictionStore
from localcloud.replicate.problems import Problem
from localcloud.replicate.registry import BadManifest, load_models
from localcloud.replicate.schemas import file_fields, iterates
from localcloud.replicate.tables import SCHEMA, upgrade
from localcloud.replicate.webhook_sender import BadSecret, Signer
from localcloud.sqlite import connect

PROJECT = Path(__file__).resolve().parents[3]


class Person(cog.BaseModel):  # type: ignore[misc]
    name: str
    age: int | None


def everything(
    needed: int,
    path: cog.Path,
    paths: list[cog.Path] = Input(default=[]),  # noqa: B008
    optional: str | None = Input(default=None, min_length=2),
    either: int | str = Input(default=1),
    words: list[str] = Input(default=["a"], min_length=2),  # noqa: B008
    code: str = Input(default="ab", regex="^[a-z]+$", deprecated=True),
    size: int = Input(default=1, choices=[1, 2]),
) -> list[Person]:
    raise NotImplementedError


def pieces() -> Iterator[str]:
    raise NotImplementedError


def test_document() -> None:
    described = document(everything)
    schemas = described["components"]["schemas"]
    assert schemas["Input"]["required"] == ["needed", "path"]
    properties = schemas["Input"]["properties"]
    assert properties["path"] == {"x-order": 1, "title": "Path", "type": "string", "format": "uri"}
    assert properties["optional"]["nullable"] is True
    assert properties["either"]["anyOf"] == [{"type": "integer"}, {"type": "string"}]
    assert properties["size"]["allOf"] == [{"$ref": "#/components/schemas/size"}]
    assert schemas["size"]["enum"] == [1, 2]
    assert schemas["Output"]["type"] == "array"
    assert schemas["Output"]["items"]["required"] == ["name"]
    assert not iterates(described)
    assert iterates(document(pieces))


def test_file_fields() -> None:
    given = {"needed": 1, "path": "a", "paths": ["b", "c"], "code": "d"}
    assert file_fields(document(everything), given) == [("path", ["a"]), ("paths", ["b", "c"])]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("90s", 90), ("5", 5), ("15m", 900), ("2h30m", 9000), ("1h30m45s", 5445), ("1h1", 3601)],
)
def test_cancel_after(given: str, seconds: int) -> None:
    lifetime = read_request({"input": {}}, {"cancel-after": given}).lifetime
    assert lifetime == timedelta(seconds=seconds)
    assert read_request({"input": {}}, {}).lifetime is None


@pytest.mark.parametrize("given", ["", "4s", "soon", "-5", "5s5m", "1.5h", "9" * 7])
def test_a_bad_cancel_after(given: str) -> None:
    with pytest.raises(Problem, match="at least 5 seconds"):
        read_request({"input": {}}, {"cancel-after": given})


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [("", None), ("wait", 60), ("wait=7", 7), ("wait=0", 1), ("wait=61", 60), ("a, Wait = 5", 5)],
)
def test_prefer(prefer: str, seconds: int | None) -> None:
    assert read_request({"input": {}}, {"prefer": prefer}).wait == seconds


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_%", "dGVzdA==", "sk_dGVzdA==", "whsec_dGVz_A=="]
)
def test_a_bad_secret(secret: str) -> None:
    with pytest.raises(BadSecret):
        Signer(secret)


def test_manifests(tmp_path: Path) -> None:
    with pytest.raises(BadManifest, match="no model"):
        load_models(tmp_path)
    good = f'owner = "a"\nname = "b"\nversion = "{"0" * 64}"\n'
    for text, words in (
        ("owner = ", "replicate.toml"),
        ('owner = "a"\nname = "b"', "version"),
        (good.replace('"b"', '"../b"'), "name"),
        (good + "sparkle = 1", "sparkle"),
    ):
        (tmp_path / "one").mkdir(exist_ok=True)
        (tmp_path / "one" / "replicate.toml").write_text(text)
        with pytest.raises(BadManifest, match=words):
            load_models(tmp_path)
    (tmp_path / "one" / "replicate.toml").write_text(good)
    assert [model.full_name for model in load_models(tmp_path)] == ["a/b"]
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "replicate.toml").write_text(good)
    with pytest.raises(BadManifest, match="same full_name"):
        load_models(tmp_path)


def test_the_models_of_the_project() -> None:
    models = {model.full_name: model for model in load_models(PROJECT / "localcloud" / "models")}
    assert models["openai/whisper"].version.startswith("cdd97b257f93")
    assert models["replicate/all-mpnet-base-v2"].version.startswith("b6b7585c9640")


def test_a_file_of_an_older_version(tmp_path: Path) -> None:
    older = connect(tmp_path / "old.sqlite3", schema=SCHEMA.replace(",\n    deadline TEXT", ""))
    assert "deadline" not in SCHEMA.replace(",\n    deadline TEXT", "")
    for _ in range(2):
        upgrade(older)
    store = PredictionStore(older)
    store.add(Prediction("a", "m", "v", {}, "2026-01-01T00:00:00Z", deadline="2026-01-02"))
    assert [one.id for one in store.overdue(datetime(2026, 1, 3, tzinfo=UTC))] == ["a"]
    assert store.overdue(datetime(2026, 1, 1, tzinfo=UTC)) == []
    older.close()

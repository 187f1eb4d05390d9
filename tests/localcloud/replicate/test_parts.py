"""The parts that decide without a server: manifests, requests, inputs, schemas, secrets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cog
import pytest
from cog import Input

from localcloud.replicate.describe import document
from localcloud.replicate.prediction_request import read_request
from localcloud.replicate.problems import Problem
from localcloud.replicate.registry import BadManifest, load_models
from localcloud.replicate.schemas import check_input, file_fields, iterates
from localcloud.replicate.webhook_sender import BadSecret, Signer

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


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"optional": None},
        {"optional": "ab"},
        {"either": "a"},
        {"either": 2},
        {"words": ["a"]},
        {"size": 2},
        {"paths": ["https://example.com/a", "data:text/plain,a"]},
        {"unknown": object},
    ],
)
def test_input_that_fits(more: dict[str, Any]) -> None:
    check_input(document(everything), {"needed": 1, "path": "https://example.com/"} | more)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"needed": 1.5}, "input.needed"),
        ({"path": ["https://example.com/"]}, "input.path"),
        ({"optional": "a"}, "input.optional"),
        ({"optional": 1}, "input.optional"),
        ({"either": 1.5}, "input.either"),
        ({"words": "ab"}, "input.words"),
        ({"words": [1]}, "input.words.0"),
        ({"code": "A"}, "input.code"),
        ({"size": 3}, "input.size"),
        ({"paths": ["/etc/passwd"]}, "input.paths.0"),
        ({"paths": [{}]}, "input.paths.0"),
    ],
)
def test_input_that_does_not_fit(more: dict[str, Any], field: str) -> None:
    with pytest.raises(Problem) as problem:
        check_input(document(everything), {"needed": 1, "path": "https://example.com/"} | more)
    assert [fault["field"] for fault in problem.value.more["invalid_fields"]] == [field]


def test_file_fields() -> None:
    given = {"needed": 1, "path": "a", "paths": ["b", "c"], "code": "d"}
    assert file_fields(document(everything), given) == [("path", ["a"]), ("paths", ["b", "c"])]


def test_cancel_after_is_refused() -> None:
    with pytest.raises(Problem, match="does not support the header Cancel-After"):
        read_request({"input": {}}, {"cancel-after": "90s"})


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

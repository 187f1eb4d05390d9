"""Finds the Cog models in a folder, and their names on Replicate.

Each model's folder has a `replicate.toml`:

    owner = "openai"
    name = "whisper"
    version = "cdd97b25..."            # 64 hexadecimal digits, as on Replicate
    description = "Speech to text"     # optional
    predictor = "predict.py:Predictor" # optional, cog.yaml's `predict`
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

MANIFEST = "replicate.toml"
_KEYS = {"owner", "name", "version", "description", "predictor"}


class BadManifest(Exception):
    """A model's manifest is incomplete or wrong."""


@dataclass(frozen=True)
class Model:
    """A Cog folder and its name and version on Replicate."""

    owner: str
    name: str
    version: str
    folder: Path
    description: str | None = None
    predictor: str = "predict.py:Predictor"

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def slug(self) -> str:
        """The name as one path segment."""
        return f"{self.owner}--{self.name}"


def load_models(folder: Path) -> list[Model]:
    """The models in the folder, sorted by name.

    Raises BadManifest, also if there is no model or two have the same name or version.
    """
    models = [read_manifest(path) for path in sorted(folder.glob(f"*/{MANIFEST}"))]
    if not models:
        raise BadManifest(f"no model in {folder}: none of its folders has a {MANIFEST}")
    for key in ("full_name", "version"):
        values = [getattr(model, key) for model in models]
        if len(set(values)) < len(values):
            raise BadManifest(f"two models in {folder} have the same {key}")
    return sorted(models, key=lambda model: model.full_name)


def read_manifest(path: Path) -> Model:
    """The model with the manifest at that path."""
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadManifest(f"{path}: {error}") from error
    if unknown := fields.keys() - _KEYS:
        raise BadManifest(f"{path}: unknown {', '.join(sorted(unknown))}")
    for key in ("owner", "name"):
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", str(fields.get(key, ""))):
            raise BadManifest(f"{path}: {key} is missing or not a plain name")
    if not re.fullmatch(r"[0-9a-f]{64}", str(fields.get("version", ""))):
        raise BadManifest(f"{path}: version is not 64 hexadecimal digits")
    return Model(folder=path.parent.resolve(), **fields)

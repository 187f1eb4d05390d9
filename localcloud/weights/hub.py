"""Whisper models of other sizes, from the Hugging Face hub; kept in the hub's own cache."""

from __future__ import annotations

from pathlib import Path

from localcloud.weights.wheels import WeightsError


def cached(name: str) -> Path | None:
    """The folder of the model if it was fetched before; the network is not asked."""
    from faster_whisper.utils import download_model  # takes half a second, and few need it
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(download_model(name, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    except ValueError as error:
        raise _trouble(name, error) from error


def fetch(name: str) -> Path:
    """A CTranslate2 Whisper model by its size ("small") or by its full name on the hub."""
    from faster_whisper.utils import download_model
    from huggingface_hub.errors import HfHubHTTPError

    print(f"Fetching the Whisper model {name} from the Hugging Face hub", flush=True)
    try:
        return Path(download_model(name))
    except (HfHubHTTPError, ValueError, OSError) as error:
        raise _trouble(name, error) from error


def _trouble(name: str, error: Exception) -> WeightsError:
    return WeightsError(
        f"The Whisper model {name!r}, set by WHISPER_MODEL, is no folder here and could not be had"
        f" from the Hugging Face hub: {error}"
    )

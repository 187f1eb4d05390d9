"""The addresses and credentials of the stand-ins, under the names of `.env-example`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from localcloud.launch_settings import (
    HOOKDECK_PROJECT_API_KEY,
    HOOKDECK_WEBHOOK_SECRET,
    MONGODB_CONNECTION_URI,
    REPLICATE_API_TOKEN,
    REPLICATE_WEBHOOKS_SECRET,
    Settings,
)
from localcloud.state import write_private

HEADER = """\
# The addresses and credentials of the local stand-ins. Rewritten at every start.
"""


def endpoints(
    chosen: Settings, ports: Mapping[str, int], secrets: Mapping[str, str]
) -> dict[str, str]:
    """The variables of the stand-ins that run. Those of real services are the operator's."""

    def secret(name: str) -> str:
        return chosen.operator.get(name) or secrets[name]

    def url(part: str) -> str:
        return f"http://127.0.0.1:{ports[part]}"

    found = {"SECRET_KEY": secret("SECRET_KEY")}
    if chosen.local_mongodb:
        uri = f"mongodb://127.0.0.1:{ports['mongodb']}/?directConnection=true"
        found[MONGODB_CONNECTION_URI] = uri
    if chosen.local_replicate:
        found["REPLICATE_BASE_URL"] = url("replicate")
        found[REPLICATE_API_TOKEN] = secret(REPLICATE_API_TOKEN)
        found[REPLICATE_WEBHOOKS_SECRET] = secret(REPLICATE_WEBHOOKS_SECRET)
    if chosen.local_hookdeck:
        found["HOOKDECK_API_URL"] = url("hookdeck")
        found[HOOKDECK_PROJECT_API_KEY] = secret(HOOKDECK_PROJECT_API_KEY)
        found[HOOKDECK_WEBHOOK_SECRET] = secret(HOOKDECK_WEBHOOK_SECRET)
        found["APP_URL"] = chosen.address
    return found


def tokenizer(chosen: Settings, weights: Mapping[str, str]) -> dict[str, str]:
    """The tokenizer of the embedding model, by which the app splits texts into passages, unless the
    operator has another."""
    if "TOKENIZER" in chosen.operator or "MPNET_WEIGHTS" not in weights:
        return {}
    return {"TOKENIZER": str(Path(weights["MPNET_WEIGHTS"]) / "tokenizer.json")}


def write_endpoints(path: Path, found: Mapping[str, str]) -> None:
    """Write the file anew. The setup scripts add the webhook URLs to it."""
    write_private(path, HEADER + "".join(f"{name}={value}\n" for name, value in found.items()))


def read_endpoints(path: Path) -> dict[str, str]:
    """The variables in the file that have a value."""
    return {name: value for name, value in dotenv_values(path).items() if value}

"""Create or update the Hookdeck connections and note their URLs in the env file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from allthethings.errors import IndexingError
from allthethings.hookdeck.connections import (
    EMBEDDINGS,
    connection_of,
    create_connections,
    write_env,
)
from allthethings.processors import webhooks
from config import DEFAULT_ENV_FILE, HookdeckSettings, SettingsError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env-file", type=Path, default=DEFAULT_ENV_FILE)
    env_file = parser.parse_args().env_file
    try:
        settings = HookdeckSettings.from_env(env_file)
        secret = settings.replicate_webhooks_secret or _ask_replicate(settings)
        connections = [*map(connection_of, webhooks()), EMBEDDINGS]
        urls = create_connections(
            connections, settings.api_url, settings.api_key, secret, settings.app_url
        )
        changed = write_env(env_file, urls)
    except (SettingsError, IndexingError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    for name, url in urls.items():
        print(f"{name}={url} ({'written to' if name in changed else 'already in'} {env_file})")
    return 0


def _ask_replicate(settings: HookdeckSettings) -> str:
    # The SDK takes half a second to import, and mostly the secret is at hand.
    from allthethings.replicate.client import ReplicateClient

    client = ReplicateClient(settings.replicate_api_token, settings.replicate_base_url)
    return client.webhooks_secret()


if __name__ == "__main__":
    sys.exit(main())

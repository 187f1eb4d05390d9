"""The settings, read from the environment over a file of NAME=value lines.

Nothing else reads the environment. A setting that is missing or cannot be used is a
SettingsError that names the variable.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from allthethings.hookdeck.connections import EMBEDDINGS, connection_of
from allthethings.hosts import is_loopback
from allthethings.processors import webhooks

DEFAULT_ENV_FILE = Path(".env")
LOOPBACK = "127.0.0.1"
HOOKDECK_API_URL = "https://api.hookdeck.com"
QUERY_MODEL = Path(__file__).parent / "localcloud" / "models" / "all-mpnet-base-v2"
TOKENIZER = "sentence-transformers/all-mpnet-base-v2"


class SettingsError(Exception):
    """A variable is missing or has a value that cannot be used."""


class _Environment:
    def __init__(self, env_file: Path) -> None:
        values: Mapping[str, str | None] = {**dotenv_values(env_file), **os.environ}
        self._values = {name: value.strip() for name, value in values.items() if value}
        self._env_file = env_file

    def required(self, name: str, what: str) -> str:
        value = self._values.get(name, "")
        if not value:
            raise SettingsError(
                f"{name} is not set: {what}. Set it in the environment or in {self._env_file}."
            )
        return value

    def optional(self, name: str, default: str = "") -> str:
        return self._values.get(name) or default

    def token(self, name: str, what: str = "") -> str:
        """A secret that goes into an HTTP header; required when `what` says what it is."""
        value = self.required(name, what) if what else self.optional(name)
        # The HTTP client would put the whole header into the text of its error.
        if not value.isascii() or not value.isprintable() or " " in value:
            raise SettingsError(f"{name} has characters in it that no such key has.")
        return value

    def flag(self, name: str) -> bool:
        return self.optional(name).lower() in {"1", "true", "yes", "on"}

    def number(self, name: str, default: float) -> float:
        """A number greater than 0, or one that may be 0 where that is the default."""
        try:
            value = float(self.optional(name, str(default)))
        except ValueError:
            value = -1.0
        if not (value > 0 or value == default):
            raise SettingsError(f"{name} has to be a number greater than 0.")
        return value


@dataclass(frozen=True)
class MongoSettings:
    """Where the things and their passages are kept."""

    uri: str = field(repr=False)
    name: str = "iaat"

    @classmethod
    def from_env(cls, env_file: Path = DEFAULT_ENV_FILE) -> MongoSettings:
        return cls._read(_Environment(env_file))

    @classmethod
    def _read(cls, env: _Environment) -> MongoSettings:
        return cls(env.required("MONGODB_CONNECTION_URI", "the MongoDB connection string"))


@dataclass(frozen=True)
class HookdeckSettings:
    """What it takes to create the connections.

    `app_url` is where Hookdeck reaches the app; without it the deliveries go to the Hookdeck
    CLI. Without `replicate_webhooks_secret` it is asked of Replicate, with the token.
    """

    api_key: str = field(repr=False)
    api_url: str
    app_url: str
    replicate_webhooks_secret: str = field(repr=False)
    replicate_api_token: str = field(repr=False)
    replicate_base_url: str

    @classmethod
    def from_env(cls, env_file: Path = DEFAULT_ENV_FILE) -> HookdeckSettings:
        env = _Environment(env_file)
        secret = env.optional("REPLICATE_WEBHOOKS_SECRET")
        token = env.token("REPLICATE_API_TOKEN")
        if not secret and not token:
            env.required("REPLICATE_WEBHOOKS_SECRET", "the key that Replicate signs webhooks with")
        return cls(
            api_key=env.token("HOOKDECK_PROJECT_API_KEY", "the key of your Hookdeck project"),
            api_url=env.optional("HOOKDECK_API_URL", HOOKDECK_API_URL),
            app_url=env.optional("APP_URL").rstrip("/"),
            replicate_webhooks_secret=secret,
            replicate_api_token=token,
            replicate_base_url=env.optional("REPLICATE_BASE_URL"),
        )


@dataclass(frozen=True)
class Settings:
    """All that the app needs to run. Durations are in seconds.

    `replicate_base_url` empty means Replicate itself. `fetch_allow` exempts the operator's own
    hosts from the rule that only public addresses are fetched. `app_url` is where people and the
    gateway know the app, empty: where a browser found it. The examples are served if there is
    an `examples_url`, where the models find the app. `host` is where the app listens.
    `query_embeddings` is `replicate` or `local`: with the model in the Cog folder `query_model`
    and its weights in `query_weights`. With `hookdeck_api_key` the app shows what the gateway did.
    `trusted_proxies` is how many proxies stand before the app, and say who asks.
    """

    secret_key: str = field(repr=False)
    mongo: MongoSettings
    replicate_api_token: str = field(repr=False)
    replicate_base_url: str
    hookdeck_webhook_secret: str = field(repr=False)
    webhook_urls: Mapping[str, str]
    embeddings_webhook_url: str
    fetch_allow: str = ""
    tokenizer: str = TOKENIZER
    examples_url: str = ""
    app_url: str = ""
    reconcile_after: float = 30.0
    prediction_deadline: float = 3_600.0
    passage_size: int = 200
    passage_overlap: int = 0
    passage_title: bool = False
    query_embeddings: str = "replicate"
    query_model: Path = QUERY_MODEL
    query_weights: Path | None = None
    host: str = LOOPBACK
    app_password: str = field(default="", repr=False)
    allow_open: bool = False
    trusted_proxies: int = 0
    hookdeck_api_key: str = field(default="", repr=False)
    hookdeck_api_url: str = HOOKDECK_API_URL

    def check(self) -> None:
        """Raises SettingsError when strangers could use the app."""
        reached, known = "", urlsplit(self.app_url).hostname
        if not is_loopback(self.host):
            reached = f"HOST={self.host}"
        elif known and not is_loopback(known):  # by a tunnel or a proxy on this machine, say
            reached = f"APP_URL={self.app_url}"
        if reached and not (self.app_password or self.allow_open):
            raise SettingsError(
                f"{reached} lets other machines reach the app, and no password protects "
                "it. Set APP_PASSWORD, or ALLOW_OPEN=1 if whoever reaches it may use it."
            )
        if self.query_embeddings not in ("replicate", "local"):
            raise SettingsError("QUERY_EMBEDDINGS has to be replicate or local.")
        if self.query_embeddings == "local" and not (
            self.query_weights and self.query_weights.is_dir()
        ):
            raise SettingsError(
                "QUERY_EMBEDDINGS=local needs the model's weights: `python -m localcloud.weights` "
                "fetches them; MPNET_WEIGHTS names their folder."
            )

    @classmethod
    def from_env(cls, env_file: Path = DEFAULT_ENV_FILE) -> Settings:
        """Raises SettingsError for the first variable that is missing."""
        env = _Environment(env_file)
        script = "run create-hookdeck-connections.py, which writes it"
        return cls(
            secret_key=env.required("SECRET_KEY", "a secret that signs the session cookies"),
            mongo=MongoSettings._read(env),
            replicate_api_token=env.token("REPLICATE_API_TOKEN", "your Replicate API token"),
            replicate_base_url=env.optional("REPLICATE_BASE_URL"),
            hookdeck_webhook_secret=env.required(
                "HOOKDECK_WEBHOOK_SECRET", "the signing secret of your Hookdeck project"
            ),
            webhook_urls={
                webhook: env.required(connection_of(webhook).variable, script).rstrip("/")
                for webhook in webhooks()
            },
            embeddings_webhook_url=env.required(EMBEDDINGS.variable, script).rstrip("/"),
            fetch_allow=env.optional("FETCH_ALLOW"),
            tokenizer=env.optional("TOKENIZER", TOKENIZER),
            examples_url=env.optional("EXAMPLES_URL").rstrip("/"),
            app_url=env.optional("APP_URL").rstrip("/"),
            reconcile_after=env.number("RECONCILE_AFTER", 30.0),
            prediction_deadline=env.number("PREDICTION_DEADLINE", 3_600.0),
            passage_size=int(env.number("PASSAGE_SIZE", 200)),
            passage_overlap=int(env.number("PASSAGE_OVERLAP", 0)),
            passage_title=env.flag("PASSAGE_TITLE"),
            query_embeddings=env.optional("QUERY_EMBEDDINGS", "replicate"),
            query_model=Path(env.optional("QUERY_MODEL", str(QUERY_MODEL))),
            query_weights=Path(weights) if (weights := env.optional("MPNET_WEIGHTS")) else None,
            host=env.optional("HOST", LOOPBACK),
            app_password=env.optional("APP_PASSWORD"),
            allow_open=env.flag("ALLOW_OPEN"),
            trusted_proxies=int(env.number("TRUSTED_PROXIES", 0)),
            hookdeck_api_key=env.token("HOOKDECK_PROJECT_API_KEY"),
            hookdeck_api_url=env.optional("HOOKDECK_API_URL", HOOKDECK_API_URL),
        )

"""The settings, read from the environment over a file of NAME=value lines.

Nothing else reads the environment. A setting that is missing or cannot be used is a
SettingsError that names the variable and never quotes its value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource

from allthethings.assets.lists import MAX_ENTRIES
from allthethings.assets.looks import Schedule
from allthethings.hookdeck.connections import EMBEDDINGS, connection_of
from allthethings.hosts import is_loopback
from allthethings.processors import webhooks
from allthethings.search.reranking import GRAPHS, files_in
from allthethings.search.reranking import TOKENIZER as TOKENIZER_FILE

DEFAULT_ENV_FILE = Path(".env")
LOOPBACK = "127.0.0.1"
HOOKDECK_API_URL = "https://api.hookdeck.com"
QUERY_MODEL = Path(__file__).parent / "localcloud" / "models" / "all-mpnet-base-v2"
TOKENIZER = "sentence-transformers/all-mpnet-base-v2"


class SettingsError(Exception):
    """A variable is missing or has a value that cannot be used."""


def _must(rule: str) -> WrapValidator:
    """Refuses what the type refuses, with this rule as the reason."""

    def check(value: object, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise ValueError(rule) from None

    return WrapValidator(check)


def _header_value(value: str) -> str:
    # The HTTP client would put the whole header into the text of its error.
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("has characters in it that no such key has.")
    return value


# Of a Bearer token (RFC 6750, section 2.1), as long as one that cannot be guessed.
_BEARER = re.compile(r"[\w.~+/-]{20,}=*", re.ASCII)


def _listed(value: object) -> object:
    """The entries of a text with commas between them."""
    if not isinstance(value, str):
        return value
    return tuple(entry for each in value.split(",") if (entry := each.strip()))


def _bearer_tokens(tokens: tuple[str, ...]) -> tuple[str, ...]:
    if not all(map(_BEARER.fullmatch, tokens)):
        raise ValueError(
            "has to be tokens with commas between them, each of 20 or more letters, digits and "
            "characters of -._~+/."
        )
    return tokens


_HTTP_URL = TypeAdapter(HttpUrl)


def _base_url(value: str) -> str:
    """The URL as it was written, without a slash at the end: paths are appended to it. Empty where
    there is none."""
    if not value:
        return ""
    try:
        _HTTP_URL.validate_python(value)
        host = urlsplit(value).hostname  # pydantic also takes https:host and https:///host
    except ValueError:
        host = None
    if not host or "?" in value or "#" in value:
        raise ValueError("has to be a URL with http:// or https://, such as https://example.org.")
    return value.rstrip("/")


Token = Annotated[str, AfterValidator(_header_value)]
Tokens = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_bearer_tokens)]
Url = Annotated[str, AfterValidator(_base_url)]
Version = Annotated[
    str,
    Field(pattern=r"^([0-9a-f]{64})?$"),
    _must("has to be the version of a model on Replicate: 64 hexadecimal digits."),
]
Often = Annotated[Schedule, _must("has to be never, daily, weekly or monthly.")]
Flag = Annotated[bool, _must("has to be 1 or 0.")]
Count = Annotated[int, Field(ge=0), _must("has to be a whole number, 0 or greater.")]
Size = Annotated[int, Field(gt=0), _must("has to be a whole number greater than 0.")]
Entries = Annotated[
    int,
    Field(gt=0, le=MAX_ENTRIES),
    _must(f"has to be a whole number from 1 to {MAX_ENTRIES:,}."),
]
Seconds = Annotated[
    float, Field(gt=0, allow_inf_nan=False), _must("has to be a number greater than 0.")
]


class _Group(BaseModel):
    """Settings that are read together.

    The alias of a field is its variable; the description of a required one says what it is.
    Arguments go by the names of the fields, and read no environment.
    """

    model_config = ConfigDict(
        frozen=True, validate_by_name=True, validate_by_alias=True, hide_input_in_errors=True
    )

    @classmethod
    def variables(cls) -> dict[str, str]:
        """The fields that are read from the environment, by their variables."""
        return {
            str(field.validation_alias): name
            for name, field in cls.model_fields.items()
            if field.validation_alias
        }

    @classmethod
    def _read(cls, env: _Environment, **derived: Any) -> Self:
        given = {name: value for name, value in env.values.items() if name in cls.variables()}
        try:
            return cls.model_validate({**given, **derived})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0])
        if first["type"] == "missing":
            field = cls.model_fields[cls.variables()[name]]
            raise env.missing(name, field.description or "")
        raise SettingsError(f"{name} {first['ctx']['error']}")


class _Environment:
    """The variables with a value: those of the environment over those of the file.

    A name set to nothing in the environment hides the one in the file.
    """

    def __init__(self, env_file: Path) -> None:
        self._env_file = env_file
        try:
            of_file = DotEnvSettingsSource(BaseSettings, env_file=env_file, case_sensitive=True)
        except UnicodeDecodeError:
            raise SettingsError(f"{env_file} is damaged: it is not UTF-8 text.") from None
        of_process = EnvSettingsSource(BaseSettings, case_sensitive=True)
        given: dict[str, str | None] = {**of_file.env_vars, **of_process.env_vars}
        stripped = {name: value.strip() for name, value in given.items() if value}
        self.values = {name: value for name, value in stripped.items() if value}

    def missing(self, name: str, what: str) -> SettingsError:
        where = f"Set it in the environment or in {self._env_file}."
        return SettingsError(f"{name} is not set: {what}. {where}")

    def webhook_url(self, name: str) -> str:
        """The URL of a source at Hookdeck, from the variable of its connection."""
        if not (url := self.values.get(name, "")):
            raise self.missing(name, "run create-hookdeck-connections.py, which writes it")
        try:
            return _base_url(url)
        except ValueError as error:
            raise SettingsError(f"{name} {error}") from None


class MongoSettings(_Group):
    """Where the assets and their passages are kept."""

    uri: str = Field(
        validation_alias="MONGODB_CONNECTION_URI",
        description="the MongoDB connection string",
        repr=False,
    )
    name: str = "iaat"

    @classmethod
    def from_env(cls, env_file: Path = DEFAULT_ENV_FILE) -> Self:
        return cls._read(_Environment(env_file))


class HookdeckSettings(_Group):
    """What it takes to create the connections.

    `app_url` is where Hookdeck reaches the app; without it the deliveries go to the Hookdeck
    CLI. Without `replicate_webhooks_secret` it is asked of Replicate, with the token.
    """

    replicate_api_token: Token = Field(
        default="", validation_alias="REPLICATE_API_TOKEN", repr=False
    )
    replicate_webhooks_secret: str = Field(
        default="", validation_alias="REPLICATE_WEBHOOKS_SECRET", repr=False
    )
    replicate_base_url: Url = Field(default="", validation_alias="REPLICATE_BASE_URL")
    api_key: Token = Field(
        validation_alias="HOOKDECK_PROJECT_API_KEY",
        description="the key of your Hookdeck project",
        repr=False,
    )
    api_url: Url = Field(default=HOOKDECK_API_URL, validation_alias="HOOKDECK_API_URL")
    app_url: Url = Field(default="", validation_alias="APP_URL")

    @classmethod
    def from_env(cls, env_file: Path = DEFAULT_ENV_FILE) -> Self:
        env = _Environment(env_file)
        settings = cls._read(env)
        if not (settings.replicate_webhooks_secret or settings.replicate_api_token):
            what = "the key that Replicate signs webhooks with"
            raise env.missing("REPLICATE_WEBHOOKS_SECRET", what)
        return settings


class Settings(_Group):
    """All that the app needs to run. Durations are in seconds.

    `replicate_base_url` empty means Replicate itself. `fetch_allow` exempts the operator's own
    hosts from the rule that only public addresses are fetched. `app_url` is where people and the
    gateway know the app, empty: where a browser found it. Scripts may send one of `api_tokens` in
    place of the password. The examples are served if there is
    an `examples_url`, where the models find the app. `host` is where the app listens.
    `query_embeddings` is `replicate` or `local`: with the model in the Cog folder `query_model`
    and its weights in `query_weights`. `reranker` is the folder of a cross-encoder.
    With `hookdeck_api_key` the app shows what the gateway did.
    `caption_version` is the model on Replicate that captions pictures; empty where none does.
    `list_entries` is the most that a list may have, with the lists in it.
    `look_again` is how often things are looked at again, where nobody has chosen that.
    `trusted_proxies` is how many proxies stand before the app, and say who asks. `processes` of
    the app share the work. With `leave_to_worker` they do nothing more once they have answered.
    `webhook_urls` has the source at Hookdeck for each webhook of a processor, by its name.
    """

    secret_key: str = Field(
        validation_alias="SECRET_KEY",
        description="a secret that signs the session cookies",
        repr=False,
    )
    mongo: MongoSettings
    replicate_api_token: Token = Field(
        validation_alias="REPLICATE_API_TOKEN",
        description="your Replicate API token",
        repr=False,
    )
    replicate_base_url: Url = Field(default="", validation_alias="REPLICATE_BASE_URL")
    hookdeck_webhook_secret: str = Field(
        validation_alias="HOOKDECK_WEBHOOK_SECRET",
        description="the signing secret of your Hookdeck project",
        repr=False,
    )
    webhook_urls: Mapping[str, str]
    embeddings_webhook_url: str
    hookdeck_api_key: Token = Field(
        default="", validation_alias="HOOKDECK_PROJECT_API_KEY", repr=False
    )
    hookdeck_api_url: Url = Field(default=HOOKDECK_API_URL, validation_alias="HOOKDECK_API_URL")
    host: str = Field(default=LOOPBACK, validation_alias="HOST")
    app_url: Url = Field(default="", validation_alias="APP_URL")
    app_password: str = Field(default="", validation_alias="APP_PASSWORD", repr=False)
    api_tokens: Tokens = Field(default=(), validation_alias="API_TOKENS", repr=False)
    allow_open: Flag = Field(default=False, validation_alias="ALLOW_OPEN")
    trusted_proxies: Count = Field(default=0, validation_alias="TRUSTED_PROXIES")
    processes: Size = Field(default=1, validation_alias="PROCESSES")
    leave_to_worker: Flag = Field(default=False, validation_alias="LEAVE_TO_WORKER")
    fetch_allow: str = Field(default="", validation_alias="FETCH_ALLOW")
    passage_size: Size = Field(default=200, validation_alias="PASSAGE_SIZE")
    passage_overlap: Count = Field(default=0, validation_alias="PASSAGE_OVERLAP")
    passage_title: Flag = Field(default=False, validation_alias="PASSAGE_TITLE")
    query_embeddings: str = Field(default="replicate", validation_alias="QUERY_EMBEDDINGS")
    query_model: Path = Field(default=QUERY_MODEL, validation_alias="QUERY_MODEL")
    query_weights: Path | None = Field(default=None, validation_alias="MPNET_WEIGHTS")
    reranker: Path | None = Field(default=None, validation_alias="RERANKER")
    reconcile_after: Seconds = Field(default=30.0, validation_alias="RECONCILE_AFTER")
    prediction_deadline: Seconds = Field(default=3_600.0, validation_alias="PREDICTION_DEADLINE")
    look_again: Often = Field(default=Schedule.NEVER, validation_alias="LOOK_AGAIN")
    list_entries: Entries = Field(default=MAX_ENTRIES, validation_alias="LIST_ENTRIES")
    caption_version: Version = Field(default="", validation_alias="CAPTION_VERSION")
    tokenizer: str = Field(default=TOKENIZER, validation_alias="TOKENIZER")
    examples_url: Url = Field(default="", validation_alias="EXAMPLES_URL")

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
        if self.api_tokens and not self.app_password:
            raise SettingsError(
                "API_TOKENS is set, but without APP_PASSWORD nothing asks for a token. Set "
                "APP_PASSWORD too."
            )
        self._check_models()

    def _check_models(self) -> None:
        if self.query_embeddings not in ("replicate", "local"):
            raise SettingsError("QUERY_EMBEDDINGS has to be replicate or local.")
        if self.query_embeddings == "local" and not (
            self.query_weights and self.query_weights.is_dir()
        ):
            raise SettingsError(
                "QUERY_EMBEDDINGS=local needs the model's weights: `python -m localcloud.weights` "
                "fetches them; MPNET_WEIGHTS names their folder."
            )
        if self.reranker and not files_in(self.reranker):
            raise SettingsError(
                f"RERANKER has to be a folder with a cross-encoder: {TOKENIZER_FILE} and one of "
                f"{', '.join(GRAPHS)}."
            )

    @classmethod
    def from_env(cls, env_file: Path = DEFAULT_ENV_FILE) -> Self:
        """Raises SettingsError for the first variable that is missing or cannot be used."""
        env = _Environment(env_file)
        return cls._read(
            env,
            mongo=MongoSettings._read(env),
            webhook_urls={
                webhook: env.webhook_url(connection_of(webhook).variable) for webhook in webhooks()
            },
            embeddings_webhook_url=env.webhook_url(EMBEDDINGS.variable),
        )

"""What the admin API takes, checked as its document says; anything else is refused here.

A part of Hookdeck that this stand-in does not have is refused by name, never ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from localcloud.hookdeck.errors import invalid
from localcloud.hookdeck.models import Json
from localcloud.hookdeck.rules import STATUS_PATTERN
from localcloud.hookdeck.verification import (
    AUTH_TYPES,
    SOURCE_TYPES,
    STANDARD_WEBHOOKS,
    check_standard_secret,
)

Name = Annotated[str, StringConstraints(pattern=r"^[A-z0-9_-]+$", max_length=155)]
Description = Annotated[str, StringConstraints(max_length=500)]
Status = Annotated[str, StringConstraints(pattern=STATUS_PATTERN)]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Milliseconds = Annotated[int, Field(ge=0)]

_Model = TypeVar("_Model", bound=BaseModel)
DESTINATION_TYPES = frozenset({"HTTP", "CLI"})


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class RetryIn(_Strict):
    """A retry rule; times in milliseconds."""

    type: Literal["retry"]
    strategy: Literal["linear", "exponential"]
    interval: Milliseconds | None = None
    count: Milliseconds | None = None
    response_status_codes: Annotated[list[Status], Field(min_length=1, max_length=10)] | None = None


class FilterIn(_Strict):
    """A filter rule in Hookdeck's filter language."""

    type: Literal["filter"]
    headers: Any = None
    body: Any = None
    query: Any = None
    path: Any = None


class DelayIn(_Strict):
    """A delay rule, in milliseconds."""

    type: Literal["delay"]
    delay: Milliseconds


class DeduplicateIn(_Strict):
    """A deduplicate rule; the window in milliseconds."""

    type: Literal["deduplicate"]
    window: Annotated[int, Field(ge=1000, le=3_600_000)]
    include_fields: list[str] | None = None
    exclude_fields: list[str] | None = None


RuleIn = Annotated[
    RetryIn | FilterIn | DelayIn | DeduplicateIn,
    Field(discriminator="type"),
]


class EndpointIn(_Strict):
    """A source or a destination, as an upsert takes it."""

    name: Name
    type: str | None = None
    description: Description | None = None
    config: dict[str, Any] | None = None


class EndpointChangeIn(_Strict):
    """A change of a source or a destination by its id."""

    name: Name | None = None
    type: str | None = None
    description: Description | None = None
    config: dict[str, Any] | None = None


class ConnectionChangeIn(_Strict):
    """A change of a connection by its id."""

    name: Name | None = None
    description: Description | None = None
    rules: list[RuleIn] | None = None


class ConnectionIn(ConnectionChangeIn):
    """A connection, as an upsert takes it: its ends inline or by id."""

    source_id: str | None = None
    destination_id: str | None = None
    source: EndpointIn | None = None
    destination: EndpointIn | None = None


class RequestRetryIn(_Strict):
    """Which connections a replayed request runs through; none named means all."""

    webhook_ids: list[str] | None = None


class BulkRetryIn(_Strict):
    """The events of a bulk retry, by the filters of the list of events."""

    query: dict[str, Any] = Field(default_factory=dict)


class _SecretAuth(_Strict):
    webhook_secret_key: str


class _ApiKeyAuth(_Strict):
    header_key: str
    api_key: str


class _BasicAuth(_Strict):
    username: str
    password: str


class _HmacAuth(_Strict):
    algorithm: Literal["sha1", "sha256", "sha512", "md5"]
    encoding: Literal["base64", "base64url", "hex"]
    header_key: str
    webhook_secret_key: str


class _Nothing(_Strict):
    pass


class _CustomSignatureAuth(_Strict):
    key: str
    signing_secret: str


class _KeyAuth(_Strict):
    key: str
    api_key: str
    to: Literal["header", "query"] = "header"


class _BearerAuth(_Strict):
    token: str


class _Response(_Strict):
    content_type: Literal["json", "text", "xml"]
    body: Annotated[str, StringConstraints(max_length=1000)]


class _SourceConfig(_Strict):
    auth: dict[str, Any] | None = None
    auth_type: str | None = None
    allowed_http_methods: list[Method] | None = None
    custom_response: _Response | None = None


class _DestinationConfig(_Strict):
    path_forwarding_disabled: bool = False
    http_method: Method | None = None
    auth_type: str | None = None
    auth: dict[str, Any] | None = None


class _HttpConfig(_DestinationConfig):
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+")]
    rate_limit: Annotated[float, Field(gt=0, strict=False)] | None = None
    rate_limit_period: Literal["second", "minute", "hour", "concurrent"] | None = None


class _CliConfig(_DestinationConfig):
    path: str


_SOURCE_AUTH: dict[str, type[_Strict]] = {
    "API_KEY": _ApiKeyAuth,
    "BASIC_AUTH": _BasicAuth,
    "HMAC": _HmacAuth,
    **dict.fromkeys(STANDARD_WEBHOOKS, _SecretAuth),
}
_DESTINATION_AUTH: dict[str, type[_Strict]] = {
    "HOOKDECK_SIGNATURE": _Nothing,
    "CUSTOM_SIGNATURE": _CustomSignatureAuth,
    "BASIC_AUTH": _BasicAuth,
    "API_KEY": _KeyAuth,
    "BEARER_TOKEN": _BearerAuth,
}


def parse(model: type[_Model], value: Any, at: str = "") -> _Model:
    """The value as the model, or ApiError 422 naming every field that is wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid(_described(error, at)) from error


def _described(error: ValidationError, at: str) -> dict[str, str]:
    return {
        ".".join(str(part) for part in ([at] if at else []) + list(item["loc"])) or "body": (
            item["msg"]
        )
        for item in error.errors(include_url=False, include_input=False)
    }


def rules_of(change: ConnectionChangeIn) -> list[Json]:
    """The rules as they are kept and answered; ApiError 422 when a kind comes twice."""
    rules = [rule.model_dump(exclude_unset=True) for rule in change.rules or []]
    kinds = [rule["type"] for rule in rules]
    if len(set(kinds)) != len(kinds):
        raise invalid({"rules": "at most one rule of each type"})
    return rules


def check_source(source_type: str, config: Json) -> None:
    """Raises ApiError 422 unless a source of this type can have this configuration."""
    if source_type not in SOURCE_TYPES:
        raise invalid({"source.type": _unsupported(source_type, SOURCE_TYPES)})
    parsed = parse(_SourceConfig, config, "source.config")
    kind: str | None = source_type
    if source_type in AUTH_TYPES:
        kind = parsed.auth_type
        if kind is not None and kind not in AUTH_TYPES[source_type]:
            raise invalid({"source.config.auth_type": _unsupported(kind, AUTH_TYPES[source_type])})
    elif parsed.auth_type is not None:
        raise invalid({"source.config.auth_type": f"not a setting of type {source_type}"})
    if parsed.auth:
        _check_source_auth(kind, parsed.auth)
    elif source_type in AUTH_TYPES and kind is not None:
        raise invalid({"source.config.auth": f"needed for auth_type {kind}"})


def _check_source_auth(kind: str | None, auth: Json) -> None:
    if kind is None:
        raise invalid({"source.config.auth_type": "needed when auth is given"})
    parsed = parse(_SOURCE_AUTH[kind], auth, "source.config.auth")
    if isinstance(parsed, _SecretAuth):
        try:
            check_standard_secret(parsed.webhook_secret_key)
        except ValueError as error:
            raise invalid({"source.config.auth.webhook_secret_key": str(error)}) from error


def check_destination(destination_type: str, config: Json) -> None:
    """Raises ApiError 422 unless a destination of this type can have this configuration."""
    if destination_type not in DESTINATION_TYPES:
        raise invalid({"destination.type": _unsupported(destination_type, DESTINATION_TYPES)})
    model = _HttpConfig if destination_type == "HTTP" else _CliConfig
    parsed = parse(model, config, "destination.config")
    kind = parsed.auth_type or "HOOKDECK_SIGNATURE"
    if kind not in _DESTINATION_AUTH:
        raise invalid({"destination.config.auth_type": _unsupported(kind, _DESTINATION_AUTH)})
    parse(_DESTINATION_AUTH[kind], parsed.auth or {}, "destination.config.auth")


def _unsupported(given: str, supported: Any) -> str:
    return f"{given} is not part of this local stand-in, which has {', '.join(sorted(supported))}"

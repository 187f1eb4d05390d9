"""Checks the bodies that the admin API receives, by Hookdeck's OpenAPI document.

Types, rules and settings that Hookdeck has and this stand-in lacks are refused by name.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from localcloud.hookdeck.api_errors import invalid
from localcloud.hookdeck.models import Json
from localcloud.hookdeck.rules import STATUS_PATTERN
from localcloud.hookdeck.verification import OPEN_TYPES, SOURCE_TYPES, check_secret

Name = Annotated[str, StringConstraints(pattern=r"^[A-z0-9_-]+$", max_length=155)]
Description = Annotated[str, StringConstraints(max_length=500)]
Status = Annotated[str, StringConstraints(pattern=STATUS_PATTERN)]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
NotNegative = Annotated[int, Field(ge=0)]

_Model = TypeVar("_Model", bound=BaseModel)
DESTINATION_TYPES = frozenset({"HTTP", "CLI"})


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class RetryIn(_Strict):
    """A retry rule. `interval` is in milliseconds."""

    type: Literal["retry"]
    strategy: Literal["linear", "exponential"]
    interval: NotNegative | None = None
    count: NotNegative | None = None
    response_status_codes: Annotated[list[Status], Field(min_length=1, max_length=10)] | None = None


class DelayIn(_Strict):
    """A delay rule, in milliseconds."""

    type: Literal["delay"]
    delay: NotNegative


RuleIn = Annotated[RetryIn | DelayIn, Field(discriminator="type")]


class EndpointIn(_Strict):
    """A source or destination to create, or to change by its name."""

    name: Name
    type: str | None = None
    description: Description | None = None
    config: dict[str, Any] | None = None


class ConnectionChangeIn(_Strict):
    """A change of the connection with a given id."""

    name: Name | None = None
    description: Description | None = None
    rules: list[RuleIn] | None = None


class ConnectionIn(ConnectionChangeIn):
    """A connection to create or change. Its ends are given whole or by their ids."""

    source_id: str | None = None
    destination_id: str | None = None
    source: EndpointIn | None = None
    destination: EndpointIn | None = None


class RequestRetryIn(_Strict):
    """The connections to which a request is replayed; all of its source's if none is named."""

    webhook_ids: list[str] | None = None


class BulkRetryIn(_Strict):
    """The events of a bulk retry, selected by the filters of the list of events."""

    query: dict[str, Any] = Field(default_factory=dict)


class _SecretAuth(_Strict):
    webhook_secret_key: str


class _SourceConfig(_Strict):
    auth: dict[str, Any] | None = None
    allowed_http_methods: list[Method] | None = None


class _DestinationConfig(_Strict):
    path_forwarding_disabled: bool = False
    http_method: Method | None = None
    auth_type: Literal["HOOKDECK_SIGNATURE"] | None = None
    auth: Annotated[dict[str, Any], Field(max_length=0)] | None = None


class _HttpConfig(_DestinationConfig):
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+")]
    rate_limit: Annotated[float, Field(gt=0, strict=False)] | None = None
    rate_limit_period: Literal["second", "minute", "hour", "concurrent"] | None = None


class _CliConfig(_DestinationConfig):
    path: str


def parse(model: type[_Model], value: Any, at: str = "") -> _Model:
    """The value as the model, or ApiError 422 with the problem of each field."""
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
    """The rules as the API returns them, or ApiError 422 if a type comes twice."""
    rules = [rule.model_dump(exclude_unset=True) for rule in change.rules or []]
    types = [rule["type"] for rule in rules]
    if len(set(types)) != len(types):
        raise invalid({"rules": "at most one rule of each type"})
    return rules


def check_source(source_type: str, config: Json) -> None:
    """Raises ApiError 422 unless a source of this type can have this configuration."""
    if source_type not in SOURCE_TYPES:
        raise invalid({"source.type": _unsupported(source_type, SOURCE_TYPES)})
    parsed = parse(_SourceConfig, config, "source.config")
    if not parsed.auth:
        return
    if source_type in OPEN_TYPES:
        problem = f"this local stand-in verifies no sources of type {source_type}"
        raise invalid({"source.config.auth": problem})
    auth = parse(_SecretAuth, parsed.auth, "source.config.auth")
    try:
        check_secret(auth.webhook_secret_key)
    except ValueError as error:
        raise invalid({"source.config.auth.webhook_secret_key": str(error)}) from error


def check_destination(destination_type: str, config: Json) -> None:
    """Raises ApiError 422 unless a destination of this type can have this configuration."""
    if destination_type not in DESTINATION_TYPES:
        raise invalid({"destination.type": _unsupported(destination_type, DESTINATION_TYPES)})
    model = _HttpConfig if destination_type == "HTTP" else _CliConfig
    parse(model, config, "destination.config")


def _unsupported(given: str, supported: frozenset[str]) -> str:
    names = ", ".join(sorted(supported))
    return f"{given} is not supported by this local stand-in, which has {names}"

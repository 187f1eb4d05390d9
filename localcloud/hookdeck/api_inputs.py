"""Checks the bodies that the admin API receives, by Hookdeck's OpenAPI document.

What Hookdeck has and this stand-in lacks is refused by name: other types, rules and settings.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from localcloud.hookdeck.api_errors import invalid
from localcloud.hookdeck.rules import MAX_AUTOMATIC_RETRIES, STATUS_PATTERN
from localcloud.hookdeck.verification import check_secret


def _reachable(url: str) -> str:
    """The URL, if a delivery can be sent there. Raises ValueError."""
    _ = urlsplit(url).port  # which has to be one
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError("not an http or https URL with a host")
    return url


def _usable(secret: str) -> str:
    check_secret(secret)
    return secret


Name = Annotated[str, StringConstraints(pattern=r"^[A-z0-9_-]+$", max_length=155)]
Status = Annotated[str, StringConstraints(pattern=STATUS_PATTERN)]
_Model = TypeVar("_Model", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class RetryIn(_Strict):
    """A retry rule. `interval` is in milliseconds."""

    type: Literal["retry"]
    strategy: Literal["linear", "exponential"]
    interval: Annotated[int, Field(ge=0)]
    count: Annotated[int, Field(ge=0, le=MAX_AUTOMATIC_RETRIES)]
    response_status_codes: Annotated[list[Status], Field(min_length=1, max_length=10)] | None = None


class _Auth(_Strict):
    webhook_secret_key: Annotated[str, AfterValidator(_usable)]


class _SourceConfig(_Strict):
    auth: _Auth | None = None


class SourceIn(_Strict):
    """A source to create, or to change by its name. Without a secret it verifies nothing."""

    name: Name
    type: Literal["REPLICATE"]
    config: _SourceConfig = _SourceConfig()


class _DestinationConfig(_Strict):
    url: Annotated[str, StringConstraints(pattern=r"^\S+$"), AfterValidator(_reachable)]


class DestinationIn(_Strict):
    """A destination to create, or to change by its name."""

    name: Name
    type: Literal["HTTP"]
    config: _DestinationConfig


class _CliConfig(_Strict):
    path: Annotated[str, StringConstraints(pattern=r"^/\S*$")]


class CliDestinationIn(_Strict):
    """A destination that the Hookdeck CLI takes deliveries for."""

    name: Name
    type: Literal["CLI"]
    config: _CliConfig


class ConnectionIn(_Strict):
    """A connection to create, or to change by its source and name."""

    name: Name
    source: SourceIn
    destination: Annotated[DestinationIn | CliDestinationIn, Field(discriminator="type")]
    # Hookdeck allows one rule of each type.
    rules: Annotated[list[RetryIn], Field(max_length=1)] = []


class RequestRetryIn(_Strict):
    """The connections to which a request is replayed; all of its source's if none is named."""

    webhook_ids: list[str] | None = None


class BulkRetryIn(_Strict):
    """The events of a bulk retry, selected by the filters of the list of events."""

    query: dict[str, Any] = Field(default_factory=dict)


def parse(model: type[_Model], value: Any) -> _Model:
    """The value as the model, or ApiError 422 with the problem of each field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        raise invalid(
            {".".join(_path(item["loc"])) or "body": item["msg"] for item in problems}
        ) from error


def _path(where: tuple[int | str, ...]) -> list[str]:
    """The path to a field, without the type by which a destination was recognised."""
    return [str(part) for part in where if part not in ("HTTP", "CLI")]

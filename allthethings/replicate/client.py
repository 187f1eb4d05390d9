"""Replicate's API through its SDK, with a timeout, and with our errors."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from pydantic.v1 import ValidationError  # what the SDK's models are made with
from replicate.client import Client
from replicate.exceptions import ReplicateError
from replicate.prediction import Prediction as SdkPrediction

from allthethings.errors import (
    PASSING_STATUSES,
    ErrorCode,
    RequestRefused,
    ServiceUnavailable,
)
from allthethings.redaction import without
from allthethings.replicate.predictions import (
    UNDER_WAY,
    ListedPrediction,
    Prediction,
    PredictionPage,
)

SERVICE = "Replicate"
# Seconds for one request.
TIMEOUT = 10.0
# Seconds that one request waits for a prediction (`Prefer: wait`). Shorter than TIMEOUT.
WAIT = 8
# Seconds that a synchronous prediction may take in all, with the cold start of its model.
RUN_SECONDS = 25.0
# Seconds between two looks at a synchronous prediction.
POLL_INTERVAL = 0.5
# How much the clocks of Replicate and of this app may differ.
CLOCK_SKEW = timedelta(minutes=1)
# Pages of predictions, of 100 each, that `find` looks through.
PAGES_TO_SEARCH = 10
# Statuses for a token that is refused or an account that cannot pay.
ACCOUNT_STATUSES = frozenset({401, 402, 403})


class ReplicateClient:
    """Creates, reads, finds and cancels predictions.

    Raises ServiceUnavailable when trying later can help, RequestRefused when Replicate
    understood and said no.
    """

    def __init__(self, api_token: str, base_url: str = "") -> None:
        self._token = api_token
        self._sdk = Client(
            api_token=api_token,
            base_url=base_url or None,
            timeout=httpx.Timeout(TIMEOUT),
        )
        # The SDK has no setting for its ten retries, each after as long as Retry-After says.
        retrying: Any = self._sdk._client._transport
        retrying.max_attempts = 1

    def create(self, version: str, values: Mapping[str, Any], webhook: str) -> Prediction:
        """Start a prediction that calls `webhook` once, when it has finished."""
        with self._translated():
            return _ours(
                self._sdk.predictions.create(
                    version=version,
                    input=dict(values),
                    webhook=webhook,
                    webhook_events_filter=["completed"],
                )
            )

    def run(self, version: str, values: Mapping[str, Any]) -> Prediction:
        """Start a prediction and wait for it. It may not be finished after RUN_SECONDS."""
        end = time.monotonic() + RUN_SECONDS
        with self._translated():
            # The SDK takes any status but `starting` for the end of a wait.
            prediction = self._sdk.predictions.create(
                version=version, input=dict(values), wait=WAIT
            )
            while prediction.status in UNDER_WAY and time.monotonic() < end:
                time.sleep(POLL_INTERVAL)
                prediction.reload()
            return _ours(prediction)

    def get(self, prediction_id: str) -> Prediction | None:
        """The prediction as it is now; None when Replicate knows none of that id."""
        try:
            with self._translated(prediction_id):
                return _ours(self._sdk.predictions.get(prediction_id))
        except _NotFound:
            return None
        except _Aborted as aborted:
            return Prediction(aborted.prediction_id, "aborted")

    def find(
        self,
        version: str,
        since: datetime,
        matches: Callable[[Mapping[str, Any]], bool],
        given_up: Collection[str] = (),
    ) -> str | None:
        """The id of the newest prediction since then, of that version, whose input matches, and
        that has not failed nor been given up. The latest 1,000 are looked at.

        It finds the prediction that was created just before the creator died.
        """
        begin = since - CLOCK_SKEW
        for row in self._recent(begin):
            if (
                row.created_at >= begin  # another asset may have needed an older list
                and row.id not in given_up
                and row.version == version
                and row.status in UNDER_WAY | {"succeeded"}
                and matches(row.input if isinstance(row.input, Mapping) else {})
            ):
                return row.id
        return None

    def cancel(self, prediction_id: str) -> None:
        """Stop a prediction that runs. One that has finished or is not known stays as it is."""
        with contextlib.suppress(_NotFound, _Aborted), self._translated(prediction_id):
            self._sdk.predictions.cancel(prediction_id)

    def webhooks_secret(self) -> str:
        """The key that this account's webhooks are signed with, `whsec_...`."""
        with self._translated():
            return self._sdk.webhooks.default.secret().key

    @contextlib.contextmanager
    def _translated(self, prediction_id: str = "") -> Iterator[None]:
        try:
            yield
        except ReplicateError as error:
            status, detail = error.status or 0, error.detail or error.title or "no reason given"
            detail = without(detail, {self._token})
            if status == 404 and prediction_id:
                raise _NotFound from error
            if status >= 500 or status in PASSING_STATUSES:
                raise unavailable(f"it answered {status}") from error
            raise _refused(status, detail) from error
        except httpx.HTTPError as error:
            raise unavailable("no answer from its API") from error
        except ValidationError as error:
            # The SDK has no `aborted` among its statuses; Replicate's API has.
            given = [part.get("ctx", {}).get("given") for part in error.errors()]
            if prediction_id and "aborted" in given:
                raise _Aborted(prediction_id) from error
            raise unavailable("its answer was not understood") from error
        except json.JSONDecodeError as error:
            raise unavailable("its answer was not JSON") from error
        except ValueError as error:  # a list of another shape, or not a time
            raise unavailable("its answer was not understood") from error

    @contextlib.contextmanager
    def one_list(self) -> Iterator[None]:
        """Within it, every `find` of this thread reads the same list of predictions, which is
        fetched when it is first needed: a page is megabytes, and a crash leaves much to find.

        Only for assets that the caller has leased before: nobody else asks for their predictions.
        """
        token = _list.set(_List())
        try:
            yield
        finally:
            _list.reset(token)

    def _recent(self, since: datetime) -> Sequence[ListedPrediction]:
        """The predictions since then at least, newest first."""
        seen = _list.get(None) or _List()
        if seen.since is None or since < seen.since:
            with self._translated():
                seen.rows, seen.since = list(self._read(since)), since
        return seen.rows

    def _read(self, since: datetime) -> Iterator[ListedPrediction]:
        # Not by the SDK's list: it refuses a page with one `aborted` prediction on it.
        path = "/v1/predictions"
        for _ in range(PAGES_TO_SEARCH):
            page = PredictionPage.model_validate(self._sdk._request("GET", path).json())
            for row in page.results:
                if row.created_at < since:
                    return
                yield row
            if not page.next:
                return
            path = page.next


@dataclass
class _List:
    """The predictions since a moment. `since` is None until they are fetched."""

    since: datetime | None = None
    rows: Sequence[ListedPrediction] = ()


_list: ContextVar[_List] = ContextVar("list")


def unavailable(reason: str) -> ServiceUnavailable:
    """The error for a Replicate that does not answer, or not in time."""
    return ServiceUnavailable(SERVICE, reason, ErrorCode.REPLICATE_UNAVAILABLE)


def _refused(status: int, detail: str) -> RequestRefused:
    account = status in ACCOUNT_STATUSES
    code = ErrorCode.REPLICATE_ACCOUNT if account else ErrorCode.REPLICATE_REFUSED
    return RequestRefused(f"Replicate refused the request ({status}): {detail}", code)


class _NotFound(Exception):
    pass


class _Aborted(Exception):
    def __init__(self, prediction_id: str) -> None:
        super().__init__(prediction_id)
        self.prediction_id = prediction_id


def _ours(prediction: SdkPrediction) -> Prediction:
    return Prediction(
        prediction.id,
        prediction.status,
        prediction.output,
        str(prediction.error) if prediction.error else None,
        _moment(prediction.started_at),
        _moment(prediction.completed_at),
        prediction.logs or "",
        prediction.input or {},
    )


def _moment(text: str | None) -> datetime | None:
    moment = datetime.fromisoformat(text) if text else None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)

"""Replicate's API through its SDK, with a timeout, and with our errors."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
from replicate.client import Client
from replicate.exceptions import ReplicateError
from replicate.prediction import Prediction as SdkPrediction

from allthethings.errors import (
    PASSING_STATUSES,
    ErrorCode,
    MalformedPrediction,
    RequestRefused,
    ServiceUnavailable,
)
from allthethings.redaction import without
from allthethings.replicate.files import UploadedFile
from allthethings.replicate.predictions import (
    UNDER_WAY,
    ListedPrediction,
    Prediction,
    PredictionPage,
    parse_prediction,
)
from allthethings.replicate.records import KEPT, record

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
# What may stand in a path of the API as the id of a prediction or a file.
_ID = re.compile(r"[\w-]{1,200}", re.ASCII)


class ReplicateClient:
    """Creates, reads, finds and cancels predictions; uploads and removes files.

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

    def close(self) -> None:
        """Close the connections, which the SDK has no way for."""
        self._sdk._client.close()

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
        if not _ID.fullmatch(prediction_id):
            return None
        try:
            with self._translated(prediction_id):
                # Not by the SDK, which knows neither the status `aborted` nor `data_removed`.
                return parse_prediction(
                    self._sdk._request("GET", f"/v1/predictions/{prediction_id}").json()
                )
        except _NotFound:
            return None

    def look_up(self, prediction_id: str) -> Prediction | None:
        """As `get`, for a prediction that the app knows from a callback alone. What Replicate does
        not want to tell now is ServiceUnavailable: the callback has to come again."""
        try:
            return self.get(prediction_id)
        except RequestRefused as error:
            raise unavailable("it refuses to tell of a prediction") from error

    def find(
        self,
        version: str,
        since: datetime,
        matches: Callable[[Mapping[str, Any]], bool],
        given_up: Collection[str] = (),
    ) -> Prediction | None:
        """The newest prediction since then, of that version, whose input matches, and
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
                and matches(row.given)
            ):
                return row.prediction()
        return None

    def cancel(self, prediction_id: str) -> None:
        """Stop a prediction that runs. One that has finished or is not known stays as it is."""
        with contextlib.suppress(_NotFound), self._translated(prediction_id):
            # Not by the SDK, which does not know the status `aborted`.
            self._sdk._request("POST", f"/v1/predictions/{prediction_id}/cancel")

    def upload(self, content: bytes, name: str, content_type: str) -> UploadedFile:
        """Put a file of at most 100 MB where predictions can read it, until it expires. `name`
        ends as such files do: some models look at that."""
        with self._translated():
            # Not by the SDK, which waits without a limit.
            files = {"content": (name, content, content_type)}
            form = {"filename": name, "type": content_type}
            answer = self._sdk._request("POST", "/v1/files", files=files, data=form)
            return UploadedFile.model_validate(answer.json())

    def remove(self, file_id: str) -> None:
        """Delete an uploaded file. One that has expired, or is not known, is no error."""
        if not _ID.fullmatch(file_id):
            return
        with contextlib.suppress(_NotFound), self._translated(file_id):
            self._sdk._request("DELETE", f"/v1/files/{file_id}")

    def webhooks_secret(self) -> str:
        """The key that this account's webhooks are signed with, `whsec_...`."""
        with self._translated():
            return self._sdk.webhooks.default.secret().key

    @contextlib.contextmanager
    def _translated(self, identity: str = "") -> Iterator[None]:
        try:
            yield
        except ReplicateError as error:
            status, detail = error.status or 0, error.detail or error.title or "no reason given"
            detail = without(detail, {self._token})
            if status == 404 and identity:
                raise _NotFound from error
            if status >= 500 or status in PASSING_STATUSES:
                raise unavailable(f"it answered {status}") from error
            raise _refused(status, detail) from error
        except httpx.HTTPError as error:
            raise unavailable("no answer from its API") from error
        except json.JSONDecodeError as error:
            raise unavailable("its answer was not JSON") from error
        except (ValueError, MalformedPrediction) as error:  # of another shape
            raise unavailable("its answer was not understood") from error

    @contextlib.contextmanager
    def one_list(self) -> Iterator[None]:
        """Within it, every `find` of this thread reads the same list of predictions, which is
        fetched when it is first needed: a page is megabytes, and a crash leaves much to find.

        Only for assets that the caller has leased before: nobody else asks for their predictions.
        Within another one it is that one's list.
        """
        if _list.get(None):
            yield
            return
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


def _ours(prediction: SdkPrediction) -> Prediction:
    return Prediction(
        prediction.id,
        prediction.status,
        prediction.output,
        str(prediction.error) if prediction.error else None,
        logs=prediction.logs or "",
        input=prediction.input or {},
        told=record({name: getattr(prediction, name, None) for name in KEPT}),
    )

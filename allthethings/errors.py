"""What can go wrong, in words a person can read.

Every error says whether trying again can help (`retryable`): a webhook endpoint turns that
into 503, the reconciler into another attempt, a page into what to do next.
"""

from __future__ import annotations


class IndexingError(Exception):
    """The root of the tree. `str(error)` is fit to be shown on a page."""

    retryable = False

    def __init__(self, message: str, *, retryable: bool | None = None) -> None:
        super().__init__(message)
        if retryable is not None:
            self.retryable = retryable


class BadInput(IndexingError):
    """What a person sent cannot be used as it is."""


class UnusableThing(IndexingError):
    """The thing behind a URL cannot be fetched, is of no known kind or holds no text."""


class BadSignature(IndexingError):
    """A callback was not signed by the gateway."""


class MalformedPrediction(IndexingError):
    """A payload is not a prediction as Replicate describes it."""


class NoSuchAsset(IndexingError):
    """There is no asset of that id, or there is none any more."""

    def __init__(self, message: str = "There is no such thing, or there is none any more.") -> None:
        super().__init__(message)


class RequestRefused(IndexingError):
    """Replicate or Hookdeck understood a request and said no."""


class ServiceUnavailable(IndexingError):
    """A service does not answer now; `service` names it."""

    retryable = True

    def __init__(self, service: str, reason: str) -> None:
        super().__init__(f"{service} is not available: {reason}")
        self.service = service

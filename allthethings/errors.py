"""One tree of errors. Each has a sentence for people, a code for programs, and says whether
trying again can help.

The code decides: `retryable` makes a webhook endpoint answer 503 and the pipeline plan another
attempt, and `allthethings.web.advice` tells a person what to do.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """What went wrong. The words are stored with assets and are part of the HTTP API, so they
    never change their meaning."""

    # The request.
    BAD_INPUT = "bad_input"
    ALREADY_INDEXED = "already_indexed"
    NO_SUCH_ASSET = "no_such_asset"
    UNSUPPORTED_TYPE = "unsupported_type"

    # The URL and its server; all of guardedfetch's codes are among them.
    BAD_URL = "bad_url"
    ADDRESS_REFUSED = "address_refused"
    NAME_NOT_FOUND = "name_not_found"
    LOOKUP_FAILED = "lookup_failed"
    UNREACHABLE = "unreachable"
    INSECURE_SERVER = "insecure_server"
    TOO_SLOW = "too_slow"
    TOO_LARGE = "too_large"
    HEADERS_TOO_LARGE = "headers_too_large"
    BAD_ANSWER = "bad_answer"
    BAD_REDIRECT = "bad_redirect"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    NOT_FOUND = "not_found"
    ACCESS_DENIED = "access_denied"
    SERVER_REFUSED = "server_refused"
    SERVER_UNAVAILABLE = "server_unavailable"
    NO_CONTENT_TYPE = "no_content_type"
    MISLABELLED = "mislabelled"

    # The content.
    NO_TEXT = "no_text"
    NO_ENTRIES = "no_entries"
    NO_SPEECH = "no_speech"
    NO_SOUND = "no_sound"
    NO_TEXT_IN_IMAGE = "no_text_in_image"
    TEXT_TOO_LONG = "text_too_long"
    RECORDING_TOO_LONG = "recording_too_long"
    NOT_A_RECORDING = "not_a_recording"
    DOCUMENT_UNREADABLE = "document_unreadable"
    PASSWORD_PROTECTED = "password_protected"  # noqa: S105 - a code, no password
    DOCUMENT_TOO_COMPLEX = "document_too_complex"

    # The parser's process.
    PARSER_KILLED = "parser_killed"
    MACHINE_BUSY = "machine_busy"

    # The models and their predictions.
    MODEL_FAILED = "model_failed"
    MODEL_INTERRUPTED = "model_interrupted"
    MODEL_OUT_OF_MEMORY = "model_out_of_memory"
    MODEL_BROKEN = "model_broken"
    MODEL_OUTPUT_UNUSABLE = "model_output_unusable"
    PREDICTION_CANCELED = "prediction_canceled"
    PREDICTION_ABORTED = "prediction_aborted"
    PREDICTION_LOST = "prediction_lost"
    PREDICTION_TIMED_OUT = "prediction_timed_out"
    OUTPUT_EXPIRED = "output_expired"
    VECTORS_NOT_REQUESTED = "vectors_not_requested"

    # The services.
    REQUEST_REFUSED = "request_refused"
    REPLICATE_REFUSED = "replicate_refused"
    REPLICATE_ACCOUNT = "replicate_account"
    REPLICATE_UNAVAILABLE = "replicate_unavailable"
    DATABASE_UNAVAILABLE = "database_unavailable"
    DATABASE_FULL = "database_full"
    SERVICE_UNAVAILABLE = "service_unavailable"

    # The callbacks.
    BAD_SIGNATURE = "bad_signature"
    MALFORMED_PREDICTION = "malformed_prediction"

    # A person, and the app itself.
    CANCELLED = "cancelled"
    UNFORESEEN = "unforeseen"

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later with nobody's help."""
        return self in _RETRYABLE


_RETRYABLE = frozenset(
    {
        ErrorCode.LOOKUP_FAILED,
        ErrorCode.UNREACHABLE,
        ErrorCode.TOO_SLOW,
        ErrorCode.SERVER_UNAVAILABLE,
        ErrorCode.PARSER_KILLED,
        ErrorCode.MACHINE_BUSY,
        ErrorCode.MODEL_INTERRUPTED,
        ErrorCode.PREDICTION_ABORTED,
        ErrorCode.OUTPUT_EXPIRED,
        ErrorCode.REPLICATE_UNAVAILABLE,
        ErrorCode.DATABASE_UNAVAILABLE,
        ErrorCode.SERVICE_UNAVAILABLE,
        ErrorCode.UNFORESEEN,
    }
)

TRY_LATER = "Trying again later can help."
# HTTP statuses below 500 with which a server asks to be tried again later.
PASSING_STATUSES = frozenset({408, 425, 429})
_GONE = frozenset({404, 410})
_DENIED = frozenset({401, 402, 403, 407, 451})


class IndexingError(Exception):
    """The root of the tree. `str(error)` is a sentence for a page; `code` is the class's own
    unless another is given."""

    code = ErrorCode.UNFORESEEN

    def __init__(self, message: str, code: ErrorCode | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code

    @property
    def retryable(self) -> bool:
        """Whether trying again can help."""
        return self.code.retryable

    @property
    def refusal(self) -> str:
        """The sentence for somebody whose request it ends: with whether to come again."""
        return f"{str(self).rstrip('.')}. {TRY_LATER}" if self.retryable else str(self)


class BadInput(IndexingError):
    """What a person sent cannot be used as it is."""

    code = ErrorCode.BAD_INPUT


class UnusableThing(IndexingError):
    """The thing behind a URL cannot be fetched, is of no known kind or holds no text."""

    code = ErrorCode.DOCUMENT_UNREADABLE


class BadSignature(IndexingError):
    """A callback was not signed by the gateway."""

    code = ErrorCode.BAD_SIGNATURE


class MalformedPrediction(IndexingError):
    """A payload is not a prediction as Replicate describes it."""

    code = ErrorCode.MALFORMED_PREDICTION


class NoSuchAsset(IndexingError):
    """There is no asset of that id, or there is none any more."""

    code = ErrorCode.NO_SUCH_ASSET

    def __init__(self, message: str = "This thing does not exist, or it was deleted.") -> None:
        super().__init__(message)


class RequestRefused(IndexingError):
    """Replicate or Hookdeck understood a request and said no."""

    code = ErrorCode.REQUEST_REFUSED


class ServiceUnavailable(IndexingError):
    """A service that the app needs does not answer now; `service` names it."""

    code = ErrorCode.SERVICE_UNAVAILABLE

    def __init__(self, service: str, reason: str, code: ErrorCode | None = None) -> None:
        super().__init__(f"{service} is not available: {reason}", code)
        self.service = service


def code_of_status(status: int) -> ErrorCode:
    """What an HTTP status other than 2xx from a thing's server means."""
    if status >= 500 or status in PASSING_STATUSES:
        return ErrorCode.SERVER_UNAVAILABLE
    if status in _GONE:
        return ErrorCode.NOT_FOUND
    return ErrorCode.ACCESS_DENIED if status in _DENIED else ErrorCode.SERVER_REFUSED

"""What a person can do about each error: a table by code. Pure.

Errors of one code share their advice: answers of 401, 402, 403, 407 and 451 are all ACCESS_DENIED.
Advice for one of them needs an ErrorCode of its own. The page of an asset shows `advice`; a refused
submission, which has no asset, shows `refused`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.errors import ErrorCode, IndexingError, UnusableThing

E = ErrorCode

RETRY = "Press Retry to try again."

_CHECK_ADDRESS = (
    "Check the address: does it open in a browser? If the thing has moved, index it at its new "
    "address."
)
_SERVER_BUSY = "Its server may be busy or down. Wait a little, then press Retry."
_SERVER_SETUP = (
    "Its server is set up in a way that this app does not accept. Another address of the same "
    "thing may work."
)
_TOO_MUCH = "It is too large for this app. You can index parts of it, each at its own address."
_NOTHING_TO_READ = "It may contain only music or silence. If that has changed, press Retry."
_NOT_ITS_FAULT = f"The thing itself is not the problem. {RETRY}"
_SEE_THE_LOG = f"The app's log has the details. {RETRY}"
_WAIT = "The app continues as soon as the service answers."
_MAKE_ROOM = (
    "Whoever runs this app has to make room for the database, and restart it if it no longer "
    "stores anything."
)

ADVICE: Mapping[ErrorCode, str] = MappingProxyType(
    {
        E.BAD_INPUT: "Change what you entered, and send it again.",
        E.ALREADY_INDEXED: "Open the thing's page to see its progress.",
        E.NO_SUCH_ASSET: "Look for it in the list of all things.",
        E.UNSUPPORTED_TYPE: "Another address may have the same content in an accepted kind.",
        E.BAD_URL: _CHECK_ADDRESS,
        E.ADDRESS_REFUSED: "A copy of it at a public address can be indexed.",
        E.NAME_NOT_FOUND: _CHECK_ADDRESS,
        E.LOOKUP_FAILED: _SERVER_BUSY,
        E.UNREACHABLE: _SERVER_BUSY,
        E.INSECURE_SERVER: _SERVER_SETUP,
        E.TOO_SLOW: _SERVER_BUSY,
        E.TOO_LARGE: _TOO_MUCH,
        E.HEADERS_TOO_LARGE: _SERVER_SETUP,
        E.BAD_ANSWER: _SERVER_SETUP,
        E.BAD_REDIRECT: _SERVER_SETUP,
        E.TOO_MANY_REDIRECTS: _SERVER_SETUP,
        E.NOT_FOUND: _CHECK_ADDRESS,
        E.ACCESS_DENIED: (
            "Its server asks for a sign-in, or refuses this app. Only what anyone can open can be "
            "indexed."
        ),
        E.SERVER_REFUSED: _SERVER_SETUP,
        E.SERVER_UNAVAILABLE: _SERVER_BUSY,
        E.NO_CONTENT_TYPE: _SERVER_SETUP,
        E.MISLABELLED: (
            "Check that the address leads to the thing itself. If it does, its server sends a "
            "wrong content type; a copy on another server may work."
        ),
        E.NO_TEXT: (
            "It may contain only pictures, or need JavaScript to show its text. "
            "Another address with the same text may work, such as a version for printing."
        ),
        E.NO_ENTRIES: "Try again when it has entries.",
        E.NO_SPEECH: _NOTHING_TO_READ,
        E.NO_SOUND: (
            "Only the speech in a video is indexed. A version with sound may be at another address."
        ),
        E.NO_TEXT_IN_IMAGE: (
            "A sharper picture may work. Whoever runs this app can set CAPTION_VERSION to a model "
            "that says what pictures show."
        ),
        E.TEXT_TOO_LONG: _TOO_MUCH,
        E.RECORDING_TOO_LONG: _TOO_MUCH,
        E.NOT_A_RECORDING: (
            "Check that the address leads to the recording itself, and not to a page that plays it."
        ),
        E.DOCUMENT_UNREADABLE: (
            "It may be damaged. Another address with the same text may work, such as a version "
            "for printing."
        ),
        E.DOCUMENT_TOO_COMPLEX: (
            "Another address with the same text may work, such as a version for printing."
        ),
        E.PASSWORD_PROTECTED: "Index a copy of it that opens without a password.",
        E.PARSER_KILLED: _NOT_ITS_FAULT,
        E.MACHINE_BUSY: "This machine has too much to do. Wait a little, then press Retry.",
        E.MODEL_FAILED: RETRY,
        E.MODEL_INTERRUPTED: _NOT_ITS_FAULT,
        E.MODEL_OUT_OF_MEMORY: _NOT_ITS_FAULT,
        E.MODEL_BROKEN: _SEE_THE_LOG,
        E.MODEL_OUTPUT_UNUSABLE: _NOT_ITS_FAULT,
        E.PREDICTION_CANCELED: _NOT_ITS_FAULT,
        E.PREDICTION_ABORTED: _NOT_ITS_FAULT,
        E.PREDICTION_LOST: _NOT_ITS_FAULT,
        E.PREDICTION_TIMED_OUT: _NOT_ITS_FAULT,
        E.OUTPUT_EXPIRED: _NOT_ITS_FAULT,
        E.VECTORS_NOT_REQUESTED: _NOT_ITS_FAULT,
        E.REQUEST_REFUSED: _SEE_THE_LOG,
        E.REPLICATE_REFUSED: _NOT_ITS_FAULT,
        E.REPLICATE_ACCOUNT: (
            "Whoever runs this app should check its account at Replicate: the token and the "
            f"billing. {RETRY}"
        ),
        E.REPLICATE_UNAVAILABLE: f"Replicate did not answer for a long time. {RETRY}",
        E.DATABASE_UNAVAILABLE: _WAIT,
        E.DATABASE_FULL: f"{_MAKE_ROOM} The app then continues.",
        E.SERVICE_UNAVAILABLE: _WAIT,
        E.BAD_SIGNATURE: "Compare HOOKDECK_WEBHOOK_SECRET with the signing secret of the gateway.",
        E.MALFORMED_PREDICTION: "Send a prediction as Replicate's API describes it.",
        E.CANCELLED: "Retry starts this step again. Delete removes the thing.",
        E.UNFORESEEN: _SEE_THE_LOG,
    }
)

# For assets that have waited so long for a service that they failed: nothing continues by itself.
WAITED_TOO_LONG: Mapping[ErrorCode, str] = MappingProxyType(
    {
        E.DATABASE_UNAVAILABLE: f"The database could not be used for a long time. {RETRY}",
        E.DATABASE_FULL: f"{_MAKE_ROOM} {RETRY}",
        E.SERVICE_UNAVAILABLE: f"The service did not answer for a long time. {RETRY}",
    }
)

# Where the code tells nothing more than the stage: for a model's own words, and for assets that
# failed before errors had codes.
BY_STAGE: Mapping[AssetStatus, str] = MappingProxyType(
    {
        AssetStatus.PROCESSING_ERROR: (
            f"{RETRY} If that fails too, check the address and what is there."
        ),
        AssetStatus.EMBEDDINGS_ERROR: (
            f"Its text is kept. {RETRY} Only missing vectors are made again."
        ),
    }
)


def advice(asset: Asset) -> str:
    """What a person can do about an asset that failed, or that waits."""
    if asset.cancelled:
        return ADVICE[E.CANCELLED]
    code = asset.error_code
    if code is None or code is E.MODEL_FAILED:
        return BY_STAGE.get(asset.status, "")
    if asset.failed and code in WAITED_TOO_LONG:
        return WAITED_TOO_LONG[code]
    return ADVICE[code]


def refused(error: IndexingError) -> str:
    """Why a submission is refused and what a person can do about it. Nothing is added to a
    retryable error, which says to try again later, nor to one about what the person entered."""
    if error.retryable or not isinstance(error, UnusableThing):
        return error.refusal
    return f"{error.refusal} {ADVICE[error.code]}"

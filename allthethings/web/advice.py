"""What a person can do about each error: a table by code. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.errors import ErrorCode

E = ErrorCode

RETRY = "Retry tries it again."

_CHECK_ADDRESS = (
    "Check the address: does it open in a browser? If the thing has moved, index it at its new "
    "address."
)
_SERVER_BUSY = "Its server may be busy or down. Wait a little, then press Retry."
_SERVER_SETUP = (
    "Its server is set up in a way that this app does not accept. Another address of the same "
    "thing may work."
)
_TOO_MUCH = (
    "It is too much for this app. Parts of it can be indexed, each at an address of its own."
)
_NOTHING_TO_READ = (
    "There may be nothing but music, pictures or silence in it. If there is more by now, press "
    "Retry."
)
_NOT_ITS_FAULT = f"The thing itself is not to blame. {RETRY}"
_SEE_THE_LOG = f"Whoever runs this app finds more in its log. {RETRY}"
_WAIT = "The app goes on by itself as soon as the service answers."

ADVICE: Mapping[ErrorCode, str] = MappingProxyType(
    {
        E.BAD_INPUT: "Change what you entered, and send it again.",
        E.ALREADY_INDEXED: "Open the thing's page to see how far it is.",
        E.NO_SUCH_ASSET: "Look for it in the list of all things.",
        E.UNSUPPORTED_TYPE: "Another address may have the same content as a kind that works.",
        E.BAD_URL: _CHECK_ADDRESS,
        E.ADDRESS_REFUSED: (
            "Only public addresses are fetched. Whoever runs this app can permit others in "
            "FETCH_ALLOW."
        ),
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
            "Its server does not let this app in. What needs a sign-in cannot be indexed; an open "
            "address of the same thing can."
        ),
        E.SERVER_REFUSED: _SERVER_SETUP,
        E.SERVER_UNAVAILABLE: _SERVER_BUSY,
        E.NO_CONTENT_TYPE: _SERVER_SETUP,
        E.NO_TEXT: (
            "There may be nothing but pictures in it, or it may need script to show its text. "
            "Another address with the same text may work, such as a version for printing."
        ),
        E.NO_SPEECH: _NOTHING_TO_READ,
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
            "Whoever runs this app should look at its account at Replicate: the token, and what "
            f"is left to pay with. {RETRY}"
        ),
        E.REPLICATE_UNAVAILABLE: f"Replicate did not answer for a long time. {RETRY}",
        E.DATABASE_UNAVAILABLE: _WAIT,
        E.DATABASE_FULL: (
            "Whoever runs this app has to make room for the database, and start it again if it "
            "has stopped storing. The app goes on by itself then."
        ),
        E.SERVICE_UNAVAILABLE: _WAIT,
        E.BAD_SIGNATURE: "Compare HOOKDECK_WEBHOOK_SECRET with the signing secret of the gateway.",
        E.MALFORMED_PREDICTION: "Send a prediction as Replicate's API describes it.",
        E.CANCELLED: "Retry begins this step again; Delete removes it.",
        E.UNFORESEEN: _SEE_THE_LOG,
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
            f"Its text is kept. {RETRY} Only what is missing is made again."
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
    return ADVICE[code]

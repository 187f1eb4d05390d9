"""Sentences that models, Replicate and guardedfetch give for a failure, and their codes."""

from __future__ import annotations

import pytest

from allthethings.errors import ErrorCode as E
from allthethings.replicate.failures import code_of
from allthethings.replicate.predictions import Prediction

DECODED = "The file could not be decoded as audio: "
KNOWN = [
    ("could not download http://x.test/a.mp3: 410 Gone", E.NOT_FOUND),
    ("404 Client Error: Not Found for url: http://x.test/a.mp3", E.NOT_FOUND),
    ("HTTP Error 503: Service Unavailable", E.SERVER_UNAVAILABLE),
    ("503 Server Error: Service Unavailable for url: http://x.test/a.mp3", E.SERVER_UNAVAILABLE),
    ("could not download http://x.test/a: there is no such file, or it has expired", E.NOT_FOUND),
    ("could not download http://x.test/404/a.mp3: 401 Unauthorized", E.ACCESS_DENIED),
    ("could not download http://x.test/a.mp3: 502 Bad Gateway", E.SERVER_UNAVAILABLE),
    ("could not download http://x.test/503: The name x.test does not exist", E.NAME_NOT_FOUND),
    ("could not download http://x.test/: The name x.test could not be looked up", E.LOOKUP_FAILED),
    ("could not download http://x.test/: The server did not answer within 8 s", E.TOO_SLOW),
    ("could not download http://x.test/: The content came too slowly: too little came within 3 s",
     E.TOO_SLOW),
    ("HTTPSConnectionPool(host='x.test', port=443): Read timed out.", E.TOO_SLOW),
    ("could not download http://x.test/: The connection to the server broke off", E.UNREACHABLE),
    ("could not download http://x.test/: The server closed the connection too early",
     E.UNREACHABLE),
    ("could not download http://x.test/: The server refused the connection", E.UNREACHABLE),
    ("could not download http://x.test/: x.test points to 10.0.0.1, which is not a public address. "
     "Whoever runs this service can permit it by naming the host in FETCH_ALLOW",
     E.ADDRESS_REFUSED),
    ("could not download https://x.test/: The certificate of x.test is not valid: certificate has "
     "expired", E.INSECURE_SERVER),
    ("could not download https://x.test/: The server x.test does not speak TLS as it should",
     E.INSECURE_SERVER),
    ("could not download http://x.test/: More than 5 redirects", E.TOO_MANY_REDIRECTS),
    ("could not download http://x.test/: The server redirects to a URL that is not fetched: The "
     "URL names no host", E.BAD_REDIRECT),
    ("could not download http://x.test/: The server did not answer in proper HTTP", E.BAD_ANSWER),
    ("could not download http://x.test/: The content is larger than 512 MiB", E.TOO_LARGE),
    ("could not download http://x.test/: The server sent more than 64 KiB of headers",
     E.HEADERS_TOO_LARGE),
    ("could not download http:///: The URL names no host", E.BAD_URL),
    (f"{DECODED}it is longer than 10 hours.", E.RECORDING_TOO_LONG),
    (f"{DECODED}it is damaged, or not a recording of a known format.", E.NOT_A_RECORDING),
    ("This has no sound: there is no audio track in the file.", E.NO_SOUND),
    ("Failed to load audio: Output file #0 does not contain any stream", E.NO_SOUND),
    (f"{DECODED}it holds no sound.", E.NO_SPEECH),
    ("PictureError: The picture could not be read: it is damaged, or not a picture of a known "
     "format.", E.DOCUMENT_UNREADABLE),
    ("cannot identify image file '/tmp/tmpz0.png'", E.DOCUMENT_UNREADABLE),
    ("The picture could not be read: it has 20,000 by 20,000 pixels; 120 million in all work.",
     E.TOO_LARGE),
    ("The picture could not be read: it has 1,200 pages, more than 100.", E.TOO_LARGE),
    ("Failed to load audio: ffmpeg ... Invalid data found when processing input",
     E.NOT_A_RECORDING),
    ("The model could not be set up: no weights", E.MODEL_BROKEN),
    ("The server failed: KeyError", E.MODEL_BROKEN),
    ("The model of this prediction no longer exists", E.MODEL_BROKEN),
    ("The model stopped 3 times while it ran this prediction: the model's process ended",
     E.MODEL_INTERRUPTED),
    ("Prediction interrupted; please retry (code: PA)", E.MODEL_INTERRUPTED),
    ("CUDA out of memory. Tried to allocate 2.00 GiB", E.MODEL_OUT_OF_MEMORY),
    ("The model ran out of memory: it used more than 12 GiB. (E1001)", E.MODEL_OUT_OF_MEMORY),
    ("told to fail", E.MODEL_FAILED),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "code"), KNOWN)
def test_known_sentences_have_codes(sentence: str, code: E) -> None:
    assert code_of(Prediction("p", "failed", error=sentence)) is code


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("failed", E.MODEL_FAILED),
        ("canceled", E.PREDICTION_CANCELED),
        ("aborted", E.PREDICTION_ABORTED),
    ],
)
def test_an_end_without_a_sentence_has_a_code(status: str, code: E) -> None:
    assert code_of(Prediction("p", status)) is code

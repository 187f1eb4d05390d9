from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allthethings.errors import BadSignature
from allthethings.hookdeck.signatures import verify_hookdeck
from tools.harness.signing import signature

SECRET = "the project's secret"
BODY = b'{"id": "abc", "status": "succeeded", "output": {"transcription": "h\xc3\xa9"}}'


def sign(body: bytes, secret: str = SECRET) -> str:
    return signature(secret, body)


def test_a_signed_body_passes() -> None:
    verify_hookdeck(BODY, {"x-hookdeck-signature": sign(BODY)}, SECRET)


def test_during_a_rotation_either_signature_passes() -> None:
    headers = {"x-hookdeck-signature": sign(BODY, "new"), "x-hookdeck-signature-2": sign(BODY)}
    verify_hookdeck(BODY, headers, SECRET)
    verify_hookdeck(BODY, headers, "new")


@pytest.mark.parametrize(
    "signature",
    [
        "",
        " ",
        sign(BODY)[:-1],
        sign(BODY) + "=",
        sign(BODY, "another secret"),
        hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest(),
        "é" * 44,
        "\udc80",
        "null",
    ],
)
def test_any_other_signature_does_not(signature: str) -> None:
    with pytest.raises(BadSignature):
        verify_hookdeck(BODY, {"x-hookdeck-signature": signature}, SECRET)


def test_no_signature_does_not() -> None:
    with pytest.raises(BadSignature):
        verify_hookdeck(BODY, {}, SECRET)


def test_the_same_json_in_other_bytes_does_not() -> None:
    with pytest.raises(BadSignature):
        verify_hookdeck(
            json.dumps(json.loads(BODY)).encode(), {"x-hookdeck-signature": sign(BODY)}, SECRET
        )


def test_every_flipped_bit_is_seen() -> None:
    for position in range(len(BODY) * 8):
        flipped = bytearray(BODY)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(BadSignature):
            verify_hookdeck(bytes(flipped), {"x-hookdeck-signature": sign(BODY)}, SECRET)


@given(st.text(), st.binary())
def test_any_header_is_a_verdict(signature: str, body: bytes) -> None:
    try:
        verify_hookdeck(body, {"x-hookdeck-signature": signature}, SECRET)
    except BadSignature:
        return
    assert signature == sign(body)

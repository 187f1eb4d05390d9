"""Signatures and credentials of sources."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from localcloud.hookdeck.models import Endpoint, Json
from localcloud.hookdeck.verification import check_secret, verify
from tests.localcloud.hookdeck.gateway_process import PROVIDER_SECRET, signed

BODY = b'{"id": "p1"}'
OTHER_SECRET = "whsec_" + base64.b64encode(b"another secret of the provider").decode()


def source(config: Json) -> Endpoint:
    return Endpoint("src_1", "s", "REPLICATE", config, 0, 0)


REPLICATE = source({"auth": {"webhook_secret_key": PROVIDER_SECRET}})


def verified(headers: dict[str, str], body: bytes = BODY, of: Endpoint = REPLICATE) -> bool | None:
    return verify(of, tuple(headers.items()), body)


def test_a_good_signature() -> None:
    assert verified(signed(BODY)) is True


@pytest.mark.parametrize(
    ("minutes", "right"), [(-6, False), (-4, True), (0, True), (4, True), (6, False)]
)
def test_five_minutes_of_clock_difference(minutes: int, *, right: bool) -> None:
    at = datetime.now(tz=UTC) + timedelta(minutes=minutes)
    assert verified(signed(BODY, at=at)) is right


def test_several_signatures_in_one_header() -> None:
    both = signed(BODY)
    both["webhook-signature"] = (
        signed(BODY, secret=OTHER_SECRET)["webhook-signature"] + " " + both["webhook-signature"]
    )
    assert verified(both) is True


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-signature": signed(BODY, secret=OTHER_SECRET)["webhook-signature"]},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": "v1a,AAAA"},
        {"webhook-signature": ""},
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": "yesterday"},
        {"webhook-timestamp": "nan"},
        {"webhook-timestamp": "1e999"},
    ],
)
def test_bad_signatures(changed: dict[str, str]) -> None:
    assert verified({**signed(BODY), **changed}) is False


def test_every_flipped_bit_of_the_body() -> None:
    headers = signed(BODY)
    for position in range(len(BODY) * 8):
        body = bytearray(BODY)
        body[position // 8] ^= 1 << position % 8
        assert verified(headers, bytes(body)) is False


def test_missing_headers_and_a_body_that_is_not_text() -> None:
    assert verified({}) is False
    assert verified(signed(BODY), b"\xff\xfe") is False


def test_a_source_without_credentials_checks_nothing() -> None:
    assert verified({}, of=source({})) is None


@pytest.mark.parametrize("secret", ["whsec_é", "whsec_", "", "whsec_a"])
def test_secrets_that_cannot_be_used(secret: str) -> None:
    with pytest.raises(ValueError, match="Standard Webhooks secret"):
        check_secret(secret)


def test_a_secret_that_can_be_used() -> None:
    check_secret(PROVIDER_SECRET)

"""Callbacks that the gateway did not sign, or that are for another thing: nothing comes of them.

After all of them the true callback, signed rightly, still does what it is for.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Callable, Iterator

import pytest
from pymongo.database import Database

from tests.faults import waiting_things
from tests.faults.conftest import Report
from tests.faults.things import Document
from tests.faults.waiting_things import Waiting
from tests.faults.wire import Wire
from tools.harness.cloud import Cloud
from tools.harness.signing import SECOND_SIGNATURE, SIGNATURE, signature

KINDS: dict[str, Callable[[str], Waiting]] = {
    "audio": waiting_things.recording,
    "embedding": waiting_things.text,
}
# Bits of a body that are flipped, beside all bits of its first 32 bytes.
BODY_BITS = 600


@pytest.fixture(scope="module")
def wire(cloud: Cloud) -> Iterator[Wire]:
    wire = Wire(cloud)
    yield wire
    wire.close()


@pytest.fixture(params=KINDS)
def waiting(request: pytest.FixtureRequest, database: Database[Document]) -> Waiting:
    name = f"{request.node.name}.mp3"
    thing = KINDS[request.param](name)
    thing.put(database)
    return thing


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def takes_the_true_one(waiting: Waiting, wire: Wire, database: Database[Document]) -> bool:
    """Whether the callback that it waits for is answered 200 and changes it."""
    before = waiting.now(database)
    return wire.signed(waiting.path, waiting.body) == 200 and waiting.now(database) != before


def test_every_flipped_bit_of_a_signature_is_401(
    waiting: Waiting, wire: Wire, database: Database[Document], figure: Report
) -> None:
    before = waiting.now(database)
    right = signature(wire.secret, waiting.body)
    digest = base64.b64decode(right)
    forged = [base64.b64encode(flipped(digest, bit)) for bit in range(8 * len(digest))]
    # A line break would end the header; the HTTP client refuses to send it.
    letters = [flipped(right.encode(), bit) for bit in range(8 * len(right))]
    forged += [each for each in letters if b"\n" not in each and b"\r" not in each]
    answers = [wire.call_back(waiting.path, waiting.body, {SIGNATURE: each}) for each in forged]
    # What is no text in HTTP (a control character) is refused before the app sees it.
    assert set(answers) <= {400, 401}
    assert answers[: 8 * len(digest)] == [401] * 8 * len(digest)
    assert waiting.now(database) == before
    assert takes_the_true_one(waiting, wire, database)
    figure(f"flipped bits of a signature, {waiting.path[:5]}", f"{len(answers)}, none accepted")


@pytest.mark.slow("a request for each of 800 bits; those of the signature are flipped without it")
def test_every_flipped_bit_of_a_body_is_401(
    waiting: Waiting, wire: Wire, database: Database[Document], figure: Report
) -> None:
    before = waiting.now(database)
    right = signature(wire.secret, waiting.body)
    draw = random.Random(1)
    bits = {*range(8 * 32), *draw.sample(range(8 * len(waiting.body)), BODY_BITS)}
    answers = {
        wire.call_back(waiting.path, flipped(waiting.body, bit), {SIGNATURE: right})
        for bit in sorted(bits)
    }
    assert answers == {401}
    assert waiting.now(database) == before
    assert takes_the_true_one(waiting, wire, database)
    figure(f"flipped bits of a body, {waiting.path[:5]}", f"{len(bits)}, none accepted")


def test_what_resembles_a_signature_is_401(
    waiting: Waiting, wire: Wire, database: Database[Document], cloud: Cloud
) -> None:
    before = waiting.now(database)
    body, secret = waiting.body, wire.secret
    right = signature(secret, body)
    digest = base64.b64decode(right)
    # The last letter of base64 holds two bits that mean nothing.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    unused = right[:-2] + alphabet[alphabet.index(right[-2]) ^ 1] + "="
    forged: list[str | bytes] = [
        *(right[:length] for length in range(len(right))),
        unused,
        f"{right}=",
        f"{right}A",
        f"{right},{right}",
        f"v1,{right}",
        f"sha256={right}",
        f'"{right}"',
        right.swapcase(),
        digest.hex(),
        digest.hex().upper(),
        base64.b64encode(digest.hex().encode()).decode(),
        base64.b32encode(digest).decode(),
        "é" * len(right),
        "\u00ff".encode("latin-1") * 44,
        "署名".encode(),
        "0" * 5_000,
        signature("", body),
        signature(secret, b""),
        signature(secret, body + b"\n"),
        signature(secret.upper(), body),
        signature(cloud.endpoints["REPLICATE_WEBHOOKS_SECRET"], body),
        signature(cloud.endpoints["HOOKDECK_PROJECT_API_KEY"], body),
        base64.b64encode(hashlib.sha256(body).digest()).decode(),
        base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha512).digest()).decode(),
        base64.b64encode(hmac.new(secret.encode(), body, "sha1").digest()).decode(),
    ]
    for each in forged:
        for names in ([SIGNATURE], [SECOND_SIGNATURE], [SIGNATURE, SECOND_SIGNATURE]):
            answer = wire.call_back(waiting.path, body, dict.fromkeys(names, each))
            assert answer == 401, (each, names)
    assert wire.call_back(waiting.path, body, {}) == 401
    assert wire.call_back(waiting.path, body, {"webhook-signature": right}) == 401
    assert waiting.now(database) == before
    assert takes_the_true_one(waiting, wire, database)


def test_a_body_written_in_another_way_is_401(
    waiting: Waiting, wire: Wire, database: Database[Document]
) -> None:
    before = waiting.now(database)
    right = {SIGNATURE: signature(wire.secret, waiting.body)}
    payload = waiting.payload
    for body in (
        json.dumps(payload, separators=(",", ":")).encode(),
        json.dumps(payload, indent=1).encode(),
        json.dumps(dict(sorted(payload.items(), reverse=True))).encode(),
        waiting.body + b" ",
        b"\xef\xbb\xbf" + waiting.body,
        waiting.body[:-1],
        b"",
    ):
        assert wire.call_back(waiting.path, body, right) == 401
    assert waiting.now(database) == before
    assert takes_the_true_one(waiting, wire, database)


def test_while_a_secret_is_rotated_one_right_signature_is_enough(
    waiting: Waiting, wire: Wire, database: Database[Document]
) -> None:
    right = signature(wire.secret, waiting.body)
    other = signature("the secret of before", waiting.body)
    before = waiting.now(database)
    refused = {SIGNATURE: other, SECOND_SIGNATURE: other}
    assert wire.call_back(waiting.path, waiting.body, refused) == 401
    assert waiting.now(database) == before
    for headers in (
        {SIGNATURE: other, SECOND_SIGNATURE: right},
        {SIGNATURE: right, SECOND_SIGNATURE: other},
        {SECOND_SIGNATURE: right},
    ):
        waiting.put(database)
        assert wire.call_back(waiting.path, waiting.body, headers) == 200
        assert waiting.now(database) != before


@pytest.mark.parametrize("kind", KINDS)
def test_a_callback_on_the_path_of_another_thing_changes_neither(
    kind: str, wire: Wire, database: Database[Document]
) -> None:
    mine, other = KINDS[kind](f"mine-{kind}"), KINDS[kind](f"other-{kind}")
    for thing in (mine, other):
        thing.put(database)
    before = mine.now(database), other.now(database)
    assert wire.signed(other.path, mine.body) == 200
    assert (mine.now(database), other.now(database)) == before
    assert takes_the_true_one(mine, wire, database)
    assert takes_the_true_one(other, wire, database)


def test_a_callback_on_the_path_of_the_other_kind_changes_nothing(
    wire: Wire, database: Database[Document]
) -> None:
    recording, text = waiting_things.recording("a-recording"), waiting_things.text("a-text")
    for thing in (recording, text):
        thing.put(database)
    before = recording.now(database), text.now(database)
    assert wire.signed(f"audio/{text.asset_id}", text.body) == 200
    assert wire.signed(f"embedding/{recording.asset_id}/0-1", recording.body) == 200
    assert (recording.now(database), text.now(database)) == before

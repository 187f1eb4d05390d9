from __future__ import annotations

from email.message import EmailMessage

import pytest

from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors import Content
from allthethings.processors.mail import MAIL, MailProcessor
from allthethings.sources.fetch import Download
from tests.allthethings.processors.kinds import tools

# As a mail program writes it: with an HTML alternative, encoded words and a folded header.
THUNDERBIRD = b"""Return-Path: <ann@birds.example>
Received: from mx.example (mx.example [192.0.2.1])
\tby mail.example with ESMTPS id 1234
\tfor <bo@birds.example>; Sun, 9 Mar 2025 23:30:00 -0500
Message-ID: <1@birds.example>
Date: Sun, 9 Mar 2025 23:30:00 -0500
MIME-Version: 1.0
From: =?UTF-8?Q?Ann_=C5=BBuraw?= <ann@birds.example>
To: bo@birds.example
Subject: =?UTF-8?B?xbt1cmF3aWU=?= at
 dusk
Content-Type: multipart/alternative; boundary="b1"

--b1
Content-Type: text/plain; charset=iso-8859-2
Content-Transfer-Encoding: quoted-printable

Dear Bo,

the =AFuraw stands in the =
water.

> Where is it?
> > In the reeds?

--b1
Content-Type: text/html; charset=utf-8

<p>Dear Bo,<p>not this

--b1--
"""
HTML_ALONE = b"""From: ann@birds.example
To: bo@birds.example
Subject: Kites
Content-Type: text/html; charset=windows-1252

<html><head><style>p { color: red }</style></head><body><h1>Kites</h1><p>Red \x93kites\x94
circle.</p><script>alert(1)</script></body></html>
"""


def read(body: bytes) -> Content:
    return MailProcessor(tools()).read(Download("https://e.example/x.eml", body, None, MAIL))


def texts(content: Content) -> list[str]:
    return [piece.text for piece in content.pieces]


@pytest.mark.parametrize("body", [THUNDERBIRD, THUNDERBIRD.replace(b"\n", b"\r\n")])
def test_a_mail_is_read_with_what_its_headers_tell(body: bytes) -> None:
    content = read(body)
    assert texts(content) == [
        "Dear Bo,",
        "the Żuraw stands in the water.",
        "Where is it? In the reeds?",
    ]
    assert (content.title, content.author) == ("Żurawie at dusk", "Ann Żuraw")
    assert (content.dated, content.remark) == ("2025-03-09", None)
    assert content.pieces[0].locator.label == "Żurawie at dusk"


def test_a_mail_of_html_alone() -> None:
    content = read(HTML_ALONE)
    assert texts(content) == ["Kites", "Red “kites” circle."]
    assert (content.author, content.dated) == ("ann@birds.example", None)


def test_attachments_are_named() -> None:
    mail = EmailMessage()
    mail["Subject"] = "Pictures"
    mail.set_content("They are here.")
    for number in range(1, 8):
        name = f"{number}.png"
        mail.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename=name)
    content = read(mail.as_bytes())
    assert texts(content) == ["They are here."]
    assert content.remark == (
        "Its attachments are left out: 1.png, 2.png, 3.png, 4.png, 5.png and 2 more."
    )


@pytest.mark.parametrize("charset", [b"no-such-charset", b"undefined"])
def test_an_encoding_that_nobody_knows(charset: bytes) -> None:
    mail = b"Subject: Caf\xe9\nContent-Type: text/plain; charset=" + charset + b"\n\nThe caf\xe9."
    assert texts(read(mail)) == ["The café."]


@pytest.mark.parametrize(
    "body",
    [
        b"From: a@b.example\nSubject: Nothing\n\n",
        b"From: a@b.example\nContent-Type: image/png\n\nxyz",
        b"From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n\n--x--\n",
    ],
)
def test_a_mail_without_text(body: bytes) -> None:
    with pytest.raises(UnusableThing, match="No text was found in this mail") as caught:
        read(body)
    assert caught.value.code is ErrorCode.NO_TEXT


@pytest.mark.parametrize(
    ("first", "known"),
    [
        (THUNDERBIRD, True),
        (THUNDERBIRD.replace(b"\n", b"\r\n"), True),
        (HTML_ALONE, True),
        (b"From: the heron\nTo: the fish\nhello", False),
        (b"Date: today\n\nA diary.", False),
        (b"X-Spam: " + b"a" * 3_000 + b"\n" + b" b\n" * 300, False),
    ],
)
def test_mails_are_recognised(first: bytes, known: bool) -> None:
    assert MailProcessor.sniff(first) == (MAIL if known else None)


def test_headers_that_are_no_text_can_be_stored() -> None:
    content = read(b'From: "\xff" <a@birds.example>\nTo: b@c.example\nSubject: a\n\nHerons.\n')
    assert content.author == "?"


def test_the_escapes_of_python_are_no_encoding() -> None:
    head = b"From: a\nTo: b\nSubject: c\nContent-Type: text/plain; charset=unicode_escape\n\n"
    assert texts(read(head + rb"C:\new \ud800")) == [r"C:\new \ud800"]


def test_endless_names_of_attachments_are_cut() -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@b.example", "c@d.example", "Herons"
    mail.set_content("Herons.")
    for _ in range(7):
        mail.add_attachment(b"x", "image", "png", filename="n" * 10_000)
    remark = read(mail.as_bytes()).remark
    assert remark is not None
    assert len(remark) < 500
    assert remark.endswith(" and 2 more.")


def test_a_date_of_huge_numbers_is_passed_over() -> None:
    date = b"Date: Sat, 99999999999999999999 Jan 2024 00:00:00 GMT\n"
    content = read(b"From: a@b.example\nTo: c@d.example\nSubject: e\n" + date + b"\nHerons.\n")
    assert content.dated is None

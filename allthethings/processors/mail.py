"""Mails, as mail programs save them (RFC 5322)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import ClassVar

from allthethings.assets import locators
from allthethings.assets.passages import Piece
from allthethings.assets.texts import encodable
from allthethings.processors.blocks import blocks, parse
from allthethings.processors.document_processor import DocumentProcessor
from allthethings.processors.magic import CONTROLS
from allthethings.processors.processor import Content, svg
from allthethings.sources.charsets import text_of
from allthethings.sources.fetch import Download
from allthethings.sources.markup import MAX_TITLE

MAIL = "message/rfc822"
# Names of headers with which a mail begins.
HEADER = (
    rb"(?:arc-[\w-]+|authentication-results|bcc|cc|content-[\w-]+|date|delivered-to|dkim-signature|"
    rb"from|in-reply-to|message-id|mime-version|received(?:-spf)?|references|reply-to|return-path|"
    rb"sender|subject|thread-[\w-]+|to|user-agent|x-[\w-]+)"
)
# The marks with which each line of a quotation begins.
QUOTED = re.compile(r"^(?:>[ \t]?)+", re.MULTILINE)
# Attachments that are named, and characters of a name that are told.
MAX_NAMED, MAX_NAME = 5, 80


class MailProcessor(DocumentProcessor):
    """A mail: its text, under its subject."""

    kind: ClassVar = "mail"
    accepts: ClassVar = (MAIL,)
    # Three headers, each with the lines on which it goes on.
    signatures: ClassVar = {
        MAIL: rb"(?i)(?>" + HEADER + rb":[^\n]{1,2000}\n(?>[ \t][^\n]{0,2000}\n){0,50}){3}"
    }
    suffixes: ClassVar = {".eml": MAIL}
    is_text: ClassVar = True
    max_bytes: ClassVar = 32 * 1024 * 1024
    noun: ClassVar = "mail"
    no_text: ClassVar = "No text was found in this mail."
    mark: ClassVar = svg("M1.5 3h13v10h-13zM1.5 3.5L8 9l6.5-5.5")
    preload: ClassVar = ("chardet", "email.parser", "lxml.etree")

    @staticmethod
    def parse(document: Download) -> Content:
        """The paragraphs of its text, or of its HTML where it has no other."""
        mail = BytesParser(EmailMessage, policy=policy.default).parsebytes(document.body)
        subject = " ".join(str(mail["subject"] or "").split())[:MAX_TITLE]
        place = locators.under(subject)
        pieces = tuple(Piece(words, place) for words in _paragraphs(mail))
        return Content(
            pieces,
            "\n\n".join(piece.text for piece in pieces),
            subject or None,
            _sender(mail),
            _day(mail),
            _remark(mail),
        )


def _paragraphs(mail: EmailMessage) -> Iterator[str]:
    body = mail.get_body(("plain", "html"))
    if body is None or not mail.keys():  # the parser takes anything, also what is no mail
        return
    content = body.get_payload(decode=True)
    raw = content if isinstance(content, bytes) else b""
    is_html = body.get_content_subtype() == "html"
    text = text_of(raw, body.get_content_charset(), markup=is_html)
    if CONTROLS.search(text):
        return
    if is_html:
        root = parse(text.encode(), "utf-8")
        yield from (words for _, words in blocks(root)) if root is not None else ()
        return
    for paragraph in re.split(r"\n\s*\n", QUOTED.sub("", text.replace("\r\n", "\n"))):
        if words := " ".join(paragraph.split()):
            yield words


def _sender(mail: EmailMessage) -> str | None:
    """The name of the first sender, or the address of one without a name."""
    addresses = getattr(mail["from"], "addresses", ())
    names = (each.display_name or each.addr_spec for each in addresses)
    return next((encodable(name[:MAX_TITLE]) for name in names if name), None)


def _day(mail: EmailMessage) -> str | None:
    try:
        sent = getattr(mail["date"], "datetime", None)
    except OverflowError:  # the parser stumbles over huge numbers
        return None
    return sent.date().isoformat() if sent else None


def _remark(mail: EmailMessage) -> str | None:
    """What is said of attachments."""
    names = [part.get_filename() or "one without a name" for part in mail.iter_attachments()]
    if not names:
        return None
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    told = ", ".join(encodable(name[:MAX_NAME]) for name in names[:MAX_NAMED])
    return f"Its attachments are left out: {told}{more}."

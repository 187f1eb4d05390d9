"""Small PDF files, written by hand: pages of text, and pages that are pictures."""

from __future__ import annotations

FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %s >> stream\n%s\nendstream" % (len(data), entries, data)


def page_of(*lines: str) -> bytes:
    """A page's content: these lines from its top, 14 points apart; an empty one leaves a gap."""
    shown = [f"({line}) Tj 0 -14 Td".encode("cp1252") for line in lines]
    return stream(b"BT /F 11 Tf 60 760 Td " + b" ".join(shown) + b" ET")


def make_pdf(*contents: bytes, info: bytes = b"", spare: int = 0) -> bytes:
    """A file with a page for each content, and with so many objects that nothing refers to."""
    pages = range(4, 4 + 2 * len(contents), 2)
    kids = b" ".join(b"%d 0 R" % number for number in pages)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d /MediaBox [0 0 600 800] "
        b"/Resources << /Font << /F 3 0 R >> >> >>" % (kids, len(contents)),
        FONT,
    ]
    for number, content in zip(pages, contents, strict=True):
        objects += [b"<< /Type /Page /Parent 2 0 R /Contents %d 0 R >>" % (number + 1), content]
    objects += [b"null"] * spare
    objects.append(b"<< %s >>" % info)
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, each in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    last = len(objects)
    trailer = b"<< /Size %d /Root 1 0 R /Info %d 0 R >>" % (last + 1, last)
    beginning = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n%s" % (last + 1, table)
    return bytes(out) + b"trailer %s\nstartxref\n%d\n%%%%EOF" % (trailer, beginning)


def picture_of(told: str, *besides: bytes) -> bytes:
    """A page's content that fills it with a picture: what the quick model that reads pictures is
    to say (tests/faults/models/pictures), at most 63 bytes, as fields of black and white."""
    told_bytes = told.encode()
    fields = bytes([len(told_bytes)]) + told_bytes.ljust(63, b"\0")
    picture = b"BI /W 16 /H 32 /BPC 1 /CS /G /D [1 0] ID %s EI" % fields
    return stream(b"q 600 0 0 800 0 0 cm %s Q %s" % (picture, b" ".join(besides)))

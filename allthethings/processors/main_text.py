"""The main text of web pages, as trafilatura finds it.

Only the processes of the sandbox import this module. It reads a page while it is imported, since
trafilatura compiles its patterns and loads its word lists at the first use, which takes 150 ms:
each process that is forked afterwards has them.
"""

from __future__ import annotations

import trafilatura
from trafilatura.settings import Document

# Trafilatura tries all of its ways on a page of so little text, and looks for this host in the list
# of public suffixes.
_SMALLEST = (
    "<html><head><title>A page</title></head><body><h1>A page</h1><p>A text.</p></body></html>"
)


def main_text(markup: str, url: str) -> Document | None:
    """The main text, title and author of a page; None where there is no text."""
    found = trafilatura.bare_extraction(
        markup,
        url=url,
        include_comments=False,
        include_images=False,
        include_links=False,
        with_metadata=True,
        favor_recall=True,
    )
    return found if isinstance(found, Document) else None


main_text(_SMALLEST, "http://localhost/")

"""Programs, by their lines: source text of any language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from allthethings.assets.locators import Lines
from allthethings.assets.passages import Piece
from allthethings.processors.decoding import decoded
from allthethings.processors.document_processor import DocumentProcessor
from allthethings.processors.processor import Content, svg
from allthethings.sources.fetch import Download

# The ends of the names of files, by the language in which they are written. Those of HTML, CSV,
# JSON and YAML are other kinds.
LANGUAGES: dict[str, str] = {
    "c": ".c .h",
    "c++": ".cc .cpp .cxx .hh .hpp",
    "csharp": ".cs",
    "clojure": ".clj",
    "css": ".css .scss .less",
    "dart": ".dart",
    "elixir": ".ex .exs",
    "elm": ".elm",
    "erlang": ".erl",
    "fortran": ".f90 .f95",
    "fsharp": ".fs",
    "go": ".go",
    "haskell": ".hs",
    "ini": ".ini .cfg .conf",
    "java": ".java",
    "javascript": ".js .mjs .cjs .jsx",
    "julia": ".jl",
    "kotlin": ".kt .kts",
    "lisp": ".lisp .el .scm",
    "lua": ".lua",
    "makefile": ".mk",
    "nix": ".nix",
    "ocaml": ".ml .mli",
    "perl": ".pl .pm",
    "php": ".php",
    "powershell": ".ps1",
    "python": ".py .pyi",
    "r": ".r",
    "ruby": ".rb",
    "rust": ".rs",
    "scala": ".scala",
    "shellscript": ".sh .bash .zsh",
    "sql": ".sql",
    "swift": ".swift",
    "tex": ".tex",
    "toml": ".toml",
    "typescript": ".ts .tsx",
    "zig": ".zig",
}
# Lines of a piece at most. A passage joins short ones, and a long one has its first line alone.
MAX_LINES = 12


class CodeProcessor(DocumentProcessor):
    """A program by its lines, in parts that empty lines divide."""

    kind: ClassVar = "code"
    accepts: ClassVar = (
        *(f"text/x-{language}" for language in LANGUAGES),
        "application/javascript",
        "application/sql",
        "application/toml",
        "application/typescript",
        "application/x-httpd-php",
        "application/x-javascript",
        "application/x-perl",
        "application/x-python-code",
        "application/x-ruby",
        "application/x-sh",
        "application/x-shellscript",
        "text/css",
        "text/javascript",
        "text/x-c-code",
        "text/x-chdr",
        "text/x-csrc",
        "text/x-c++hdr",
        "text/x-c++src",
        "text/x-java-source",
        "text/x-script.python",
        "text/x-sh",
    )
    signatures: ClassVar = {
        "text/x-shellscript": rb"#!\s*/\S*/(?:env )?(?:ba|z|da|k)?sh\b",
        "text/x-python": rb"#!\s*/\S*/(?:env )?python",
        "text/x-perl": rb"#!\s*/\S*/(?:env )?perl",
        "text/x-php": rb"<\?php\b",
    }
    suffixes: ClassVar = {
        suffix: f"text/x-{language}"
        for language, suffixes in LANGUAGES.items()
        for suffix in suffixes.split()
    }
    is_text: ClassVar = True
    max_bytes: ClassVar = 6 * 1024 * 1024
    noun: ClassVar = "file"
    no_text: ClassVar = "No text was found in this file."
    mark: ClassVar = svg("M5.5 4l-4 4 4 4M10.5 4l4 4-4 4M9 2.5l-2 11")
    preload: ClassVar = ("chardet",)

    @staticmethod
    def parse(document: Download) -> Content:
        """The lines, as they are written."""
        text = decoded(document)
        return Content(tuple(_pieces(text)), text)


def _pieces(text: str) -> Iterator[Piece]:
    block: list[str] = []
    number = 0
    for number, line in enumerate(text.split("\n"), 1):
        if block and (not line.strip() or len(block) == MAX_LINES):
            yield _piece(block, number - 1)
            block = []
        if line.strip():
            block.append(line)
    if block:
        yield _piece(block, number)


def _piece(block: list[str], last: int) -> Piece:
    return Piece("\n".join(block), Lines(last - len(block) + 1, last))

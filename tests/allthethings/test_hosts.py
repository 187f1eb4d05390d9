from __future__ import annotations

import pytest

from allthethings.errors import BadInput
from allthethings.hosts import canonical_host, names_served


@pytest.mark.parametrize(
    ("host", "spelling"),
    [
        ("Example.ORG.", "example.org"),
        ("bücher.de", "xn--bcher-kva.de"),
        ("BÜCHER.de", "xn--bcher-kva.de"),
        ("xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("my_host", "my_host"),
        ("0x7f.1", "127.0.0.1"),
        ("0:0::1", "::1"),
    ],
)
def test_a_host_has_one_spelling(host: str, spelling: str) -> None:
    assert canonical_host(host) == spelling


@pytest.mark.parametrize(
    "host", ["", ".", "a..b", "a b", "ex%41mple.org", "1.2.3.4.5", "::1::", "ü" * 300]
)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(BadInput):
        canonical_host(host)


def test_an_app_with_an_international_name_is_asked_by_its_ascii_form() -> None:
    names = names_served("127.0.0.1", "https://bücher.example:8443")
    assert names == frozenset({"xn--bcher-kva.example", "127.0.0.1"})

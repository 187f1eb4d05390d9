from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardedfetch import is_public, parse_allow


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1", "8.8.8.8", "93.184.215.14", "168.63.129.15", "172.32.0.1", "100.128.0.1",
        "192.88.98.1", "2606:4700:4700::1111", "2a00:1450:4001::1", "2001:200::1",
        "2001:4860:4860::8888", "2003::1", "::ffff:8.8.8.8",
    ],
)  # fmt: skip
def test_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_mapping_changes_no_verdict(address: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
    assert is_public(mapped) == is_public(address)


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_other_embeddings_are_never_public(address: ipaddress.IPv4Address) -> None:
    for embedded in (
        ipaddress.IPv6Address("64:ff9b::").packed[:12] + address.packed,
        b"\0" * 12 + address.packed,
        b"\x20\x02" + address.packed + b"\0" * 10,
        b"\x20\x01\0\0" + address.packed + b"\0" * 8,
    ):
        assert not is_public(ipaddress.IPv6Address(embedded))


@settings(deadline=None)
@given(
    st.sampled_from(
        (
            "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "192.88.99.0/24",
            "fec0::/10", "5f00::/16", "3fff::/20", "127.0.0.0/8", "10.0.0.0/8", "192.0.0.0/24",
            "100.64.0.0/10", "224.0.0.0/4", "240.0.0.0/4", "fc00::/7", "fe80::/10", "ff00::/8",
        )
    ).flatmap(lambda network: st.ip_addresses(network=network))
)  # fmt: skip
def test_never_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert not is_public(address)


@settings(deadline=None)
@given(st.ip_addresses())
def test_public_is_a_part_of_what_the_library_calls_global(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    mapped = getattr(address, "ipv4_mapped", None)
    assert not is_public(address) or (mapped or address).is_global


@pytest.mark.parametrize(
    ("text", "host", "port", "permitted"),
    [
        ("", "localhost", 80, False),
        (" , ", "localhost", 80, False),
        ("localhost", "localhost", 80, True),
        ("localhost", "localhost", 8080, True),
        ("a.example, localhost:8080", "localhost", 8080, True),
        ("a.example, localhost:8080", "localhost", 80, False),
        ("LOCALHOST.:80", "localhost", 80, True),
        ("localhost", "sub.localhost", 80, False),
        ("localhost", "notlocalhost", 80, False),
        ("[::1]:9000", "::1", 9000, True),
        ("[0:0::1]", "::1", 9000, True),
        ("[::1]:9000", "::1", 9001, False),
        ("0x7f.1", "127.0.0.1", 1, True),
        ("127.0.0.1", "localhost", 80, False),
        ("bücher.example", "xn--bcher-kva.example", 80, True),
    ],
)
def test_allow(text: str, host: str, port: int, permitted: bool) -> None:
    assert parse_allow(text).permits(host, port) == permitted


def test_two_lists_join() -> None:
    both = parse_allow("a.example") | parse_allow("b.example:1")
    assert both.permits("a.example", 5)
    assert both.permits("b.example", 1)


@pytest.mark.parametrize("entry", ["::1", "http://a", "a:b", "a:0", "a:70000", "u@a", "*.a", ":80"])
def test_an_entry_that_cannot_be_read_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="is not `host` or `host:port`") as caught:
        parse_allow(f"fine.example,{entry}")
    assert entry in str(caught.value)

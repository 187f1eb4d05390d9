from __future__ import annotations

import pytest

from allthethings.assets.names import readable_name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("My%20talk.mp3", "My talk"),
        ("honeybees.mp3", "honeybees"),
        ("talks/salty-sea_part+2.m4a", "salty sea part 2"),
        ("2024-05-31_board-meeting.mp3", "2024-05-31 board meeting"),
        ("Jean-Luc%20Picard.ogg", "Jean-Luc Picard"),
        ("My%2520talk.mp3", "My talk"),
        ("A%20talk_on%20well-known_bees.mp3", "A talk on well-known bees"),
        ("caf%C3%A9.mp3", "café"),
        ("caf%E9.mp3", "caf%E9"),
        ("%0Aevil.mp3", "%0Aevil"),
        ("release-1.5", "release 1.5"),
        ("guide/v2.0/", "v2.0"),
        ("docs/index.html", "docs"),
        ("bees/", "bees"),
        ("---", "e.example"),
        ("index.php?id=7", "e.example"),
        ("", "e.example"),
    ],
)
def test_a_thing_without_a_title_has_a_readable_name(path: str, name: str) -> None:
    assert readable_name(f"https://e.example/{path}") == name

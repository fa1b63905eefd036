"""The scripted model's idea of language."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwire.gateway.upstreams.scripted.words import excerpt, meaningful_words, pieces


@settings(deadline=None)
@given(st.text())
def test_the_pieces_of_a_text_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


def test_a_piece_is_a_word() -> None:
    assert pieces("one two\n\nthree ") == ["one ", "two\n", "\nthree "]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What are the files?", ["fil"]),
        ("list_files listFiles", ["list", "fil"]),
        ("Searching, searched: searches", ["search"]),
        ("is it on?", []),
        ("", []),
    ],
)
def test_meaningful_words(text: str, words: list[str]) -> None:
    assert meaningful_words(text) == words


def test_an_excerpt_is_not_longer_than_its_limit() -> None:
    assert [excerpt("abc", 3), excerpt("abcd", 3)] == ["abc", "ab…"]

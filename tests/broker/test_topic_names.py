"""Kafka's rules for topic names."""

from __future__ import annotations

import pytest

from kfast.broker.topic_names import ensure_no_collision, ensure_valid
from kfast.errors import InvalidTopicError


@pytest.mark.parametrize("name", ["a", "A-Z_0.9", "...", "__x", "a" * 249])
def test_valid_names(name: str) -> None:
    ensure_valid(name)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "the empty string is not allowed"),
        (".", "'.' is not allowed"),
        ("..", "'..' is not allowed"),
        ("a" * 250, "longer than the max allowed length 249"),
        ("bad name", "characters other than ASCII alphanumerics"),
        ("ümlaut", "characters other than ASCII alphanumerics"),
        ("../etc", "characters other than ASCII alphanumerics"),
        ("line\n", "characters other than ASCII alphanumerics"),
        ("٣", "characters other than ASCII alphanumerics"),
    ],
)
def test_invalid_names_are_refused_in_kafkas_words(name: str, problem: str) -> None:
    with pytest.raises(InvalidTopicError, match="Topic name is invalid: ") as error:
        ensure_valid(name)
    assert problem in str(error.value)


def test_names_that_differ_in_dots_and_underscores_collide() -> None:
    ensure_no_collision("a-b", ["a_b"])
    ensure_no_collision("a.b", ["a.b", "a.c"])
    with pytest.raises(InvalidTopicError, match=r"'a_b' collides with existing topic: a\.b"):
        ensure_no_collision("a_b", ["x", "a.b"])

"""Errors: Kafka's codes, and messages of a size that can be passed on."""

from __future__ import annotations

from kfast.errors import MAX_MESSAGE_SIZE, InvalidTopicError, KfastError


def test_each_error_has_its_own_code_of_kafka() -> None:
    codes = [kind.error_code for kind in KfastError.__subclasses__() if kind.error_code > 0]
    assert len(codes) > 30
    assert sorted(code for code in codes if codes.count(code) > 1) == [42, 42]  # no request, and a bad one


def test_what_a_peer_sent_is_quoted_in_part_only() -> None:
    assert str(InvalidTopicError("x" * MAX_MESSAGE_SIZE)) == "x" * MAX_MESSAGE_SIZE
    assert str(InvalidTopicError("x" * 10_000_000)) == "x" * MAX_MESSAGE_SIZE + "..."

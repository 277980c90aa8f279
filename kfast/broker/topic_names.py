"""Which names a topic may have: Kafka's rules (org.apache.kafka.common.internals.Topic), in its words."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kfast.errors import InvalidTopicError

MAX_NAME_SIZE = 249
_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")

INTERNAL_TOPICS = frozenset({"__consumer_offsets", "__transaction_state"})
"""Written by the broker alone."""

CLUSTER_METADATA_TOPIC = "__cluster_metadata"
"""The metadata log's directory is named like a topic's, but it is none."""


def ensure_valid(name: str) -> None:
    """Raise InvalidTopicError unless `name` may be a topic's."""
    if not name:
        problem = "the empty string is not allowed"
    elif name in (".", ".."):
        problem = f"'{name}' is not allowed"
    elif len(name) > MAX_NAME_SIZE:
        problem = f"the length of '{name}' is longer than the max allowed length {MAX_NAME_SIZE}"
    elif not _LEGAL.fullmatch(name):
        problem = f"'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    else:
        return
    raise InvalidTopicError(f"Topic name is invalid: {problem}")


def ensure_no_collision(name: str, existing: Iterable[str]) -> None:
    """Raise InvalidTopicError if another name differs only in dots and underscores: metrics mix them up."""
    if "." not in name and "_" not in name:
        return
    for other in existing:
        if other != name and other.replace(".", "_") == name.replace(".", "_"):
            raise InvalidTopicError(f"Topic '{name}' collides with existing topic: {other}")

"""What fails now for want of a disk or of descriptors: said when it begins and when it is over, and no line a retry.

Clients try again several times a second, for as long as it takes.
"""

from __future__ import annotations

import logging
import threading

logger = logging.getLogger(__name__)


class Faults:
    """One broker's. Thread-safe."""

    def __init__(self) -> None:
        self.failing: dict[str, int | None] = {}
        """What fails, and where it was first seen to. Looked at before `end` is called, which is thereby seldom."""
        self._lock = threading.Lock()

    def note(self, what: str, error: Exception, offset: int | None = None) -> None:
        """Say that `what` has failed, at an offset if that matters; at DEBUG where it did so before."""
        with self._lock:
            is_known = what in self.failing
            self.failing.setdefault(what, offset)
        place = "" if offset is None else f" at offset {offset}"
        logger.log(logging.DEBUG if is_known else logging.ERROR, "%s fails%s: %s", what, place, error)

    def end(self, what: str, offset: int | None = None) -> None:
        """Say that `what` works again, if it had failed there: what is read elsewhere in a log tells nothing of it."""
        with self._lock:
            if what not in self.failing or self.failing[what] != offset:
                return
            del self.failing[what]
        logger.info("%s works again", what)

    def __repr__(self) -> str:
        return f"Faults({', '.join(self.failing)})"

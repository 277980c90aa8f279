"""How pytest runs the notebooks: short by default, and with nbval's losses repaired.

`KFAST_FAST=0 pytest notebooks` runs them at full length.
"""

import os

import jupyter_client
import nbval.kernel
import pytest
import zmq

os.environ.setdefault("KFAST_FAST", "1")

OUTPUT_TIMEOUT_S = 30


class UnboundedKernelManager(jupyter_client.manager.KernelManager):
    """Keeps every message.

    nbval reads outputs only after the cell has replied. ZeroMQ's queue drops what is too much meanwhile, and with a
    live picture that includes the final "idle", without which nbval takes the cell for a hanging one.
    """

    def client(self, **arguments):
        context = zmq.Context()
        context.setsockopt(zmq.RCVHWM, 0)
        return super().client(context=context, **arguments)


nbval.kernel.KernelManager = UnboundedKernelManager


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if hasattr(item, "output_timeout"):
            item.output_timeout = OUTPUT_TIMEOUT_S  # nbval's 5 s are too few on a busy machine

"""A machine of made-up devices."""

from __future__ import annotations

import pytest

from edgeage.errors import DeviceNotFoundError
from edgeage.testing import FakeBackend


class Machine:
    """Its devices answer; the one called GONE is not there."""

    def __init__(self):
        self.backends = {
            "FAST": FakeBackend(device="FAST"),
            "GONE": FakeBackend(
                device="GONE", load_error=DeviceNotFoundError("device «GONE» is not here")
            ),
        }

    def open(self, device):
        return self.backends[device]


@pytest.fixture
def made_up():
    """The machine; ``made_up.open`` is what opens its devices."""
    return Machine()

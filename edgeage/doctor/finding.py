"""What one check found."""

from __future__ import annotations

import dataclasses

__all__ = ["NOT_NEEDED", "OK", "PROBLEM", "WARNING", "Finding"]

OK = "ok"
WARNING = "warning"
PROBLEM = "problem"
NOT_NEEDED = "not needed"


@dataclasses.dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: what was looked at, for example ``"OpenVINO"``.
        status: ``ok``; ``warning`` (it works, less well than it could, or nothing can mend it);
            ``problem`` (something that is needed for a device that is there does not work); or
            ``not needed`` (it is missing, and no device here wants it).
        text: what was found, in one line.
        remedy: the commands that mend it, one a line, fit to be pasted into a shell; lines that
            begin with ``#`` say what has to be done by hand.
    """

    check: str
    status: str
    text: str
    remedy: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the fields as JSON-ready values."""
        return dataclasses.asdict(self)

"""What the server answers instead of a result: a status, one line of JSON, the right headers."""

from __future__ import annotations

from starlette.exceptions import HTTPException

from edgeage.streaming.web.limits import whole_seconds

__all__ = ["refuse"]


def refuse(
    status: int, reason: str, *, retry_after: float | None = None, challenge: str | None = None
) -> HTTPException:
    """Return the exception that ends a request.

    Args:
        status: HTTP's status code.
        reason: one line for the user.
        retry_after: seconds after which another try is welcome.
        challenge: how to show who one is (``WWW-Authenticate``).
    """
    headers = {}
    if retry_after is not None:
        headers["Retry-After"] = whole_seconds(retry_after)
    if challenge is not None:
        headers["WWW-Authenticate"] = challenge
    return HTTPException(status, reason, headers)

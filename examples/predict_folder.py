"""Predict age and gender of every face picture of a folder, as CSV on standard output.

Usage: python examples/predict_folder.py FOLDER > faces.csv

A picture that cannot be read gets a line on standard error, and the exit status is 1.
"""

import csv
import sys

from edgeage import Predictor
from edgeage.sources import find_sources


def main(folder: str) -> int:
    """Write one CSV row a face; return the exit status."""
    rows = csv.writer(sys.stdout)
    rows.writerow(["image", "age_years", "age_group", "gender", "gender_probability"])
    failed = False
    with Predictor() as predictor:
        for result in predictor.predict_batch(find_sources(folder)):
            if result.error is not None:
                print(result.error, file=sys.stderr)
                failed = True
            for face in result.faces:
                rows.writerow(
                    [
                        result.image,
                        f"{face.age:.1f}",
                        face.age_group,
                        face.gender,
                        f"{face.gender_probability:.3f}",
                    ]
                )
    return int(failed)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("expected one folder of pictures: python examples/predict_folder.py FOLDER")
    sys.exit(main(sys.argv[1]))

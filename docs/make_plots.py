"""Draw docs/plots/ from what the released models were scored, and from a training's log.

Run: python docs/make_plots.py [--log runs/NAME/joint_log.csv]. The figures are those of
caffe_models/scores.json, which «make models» writes.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from edgeage.paths import atomic_file
from edgeage.scoring.cards import read_scores
from edgeage.scoring.charts import learning_curve, write_charts

FOLDER = Path(__file__).resolve().parent / "plots"


def draw_log(log: Path) -> None:
    """Draw a training's log as learning_curve.svg."""
    with log.open(newline="", encoding="utf-8") as file:
        svg = learning_curve(list(csv.DictReader(file)), f"{log.parent.name}: learning curve")
    with atomic_file(FOLDER / "learning_curve.svg") as temporary:
        temporary.write_text(svg + "\n", encoding="utf-8")


def main() -> None:
    """Draw everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, help="a training's log, for the learning curve")
    options = parser.parse_args()
    document = read_scores()
    if document is not None:
        write_charts(document, FOLDER)
    if options.log is not None:
        draw_log(options.log)


if __name__ == "__main__":
    main()

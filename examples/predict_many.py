"""Work off a large folder as fast as this machine can, and say where the time goes.

Usage: python examples/predict_many.py FOLDER
"""

import sys
import time
from collections import Counter

from edgeage import Predictor
from edgeage.sources import find_sources


def main(folder: str) -> None:
    """Count the age groups and genders of a folder's pictures."""
    counts: Counter[str] = Counter()
    pictures = 0
    with Predictor(mode="throughput", min_confidence=0.7) as predictor:
        began = time.perf_counter()
        # Results come one by one: a list of them all would grow with the folder.
        for result in predictor.stream(find_sources(folder)):
            pictures += 1
            counts.update(f"{face.gender}, {face.age_group}" for face in result.faces)
            counts["unreadable"] += result.error is not None
        seconds = time.perf_counter() - began
    for kind, count in sorted(counts.items()):
        print(f"{count:6} {kind}")
    print(f"{pictures / seconds:.1f} pictures a second")
    for stage, cost_ms in predictor.timing.stages_ms.items():
        print(f"{stage:>8} {cost_ms:6.2f} ms")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("expected one folder of pictures: python examples/predict_many.py FOLDER")
    main(sys.argv[1])

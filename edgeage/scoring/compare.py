"""Two models on the same faces: how far apart they are, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeage.evaluation.bootstrap import interval, mcnemar, share_below
from edgeage.evaluation.figures import CATALOGUE

if TYPE_CHECKING:
    from edgeage.scoring.score import Scored

__all__ = ["compare"]


def compare(first: Scored, second: Scored) -> list[dict[str, Any]]:
    """Compare every figure that both have and of which one side is better.

    The same resamples make both figures, so what is hard for both cancels out. Where each face is
    right or wrong, the p-value is that of McNemar's exact test, else that of the resamples.

    Returns:
        For each figure its ``difference``, first less second, the 95 % interval of that, the
        ``p`` of there being none, and by which ``test``.
    """
    lines = []
    for name in first.resampled.keys() & second.resampled.keys():
        if CATALOGUE[name].lower is None:
            continue
        differences = first.resampled[name] - second.resampled[name]
        low, high = interval(differences)
        values = (s.fields["figures"][name]["value"] for s in (first, second))
        one, other = values
        if CATALOGUE[name].exact:
            kept = first.statistics[name].scored & second.statistics[name].scored
            rights = [s.statistics[name].columns[kept, 0] > 0.5 for s in (first, second)]
            p, test = mcnemar(*rights), "McNemar"
        else:
            p, test = share_below(differences), "bootstrap"
        lines.append(
            {
                "figure": name,
                "difference": round(one - other, 5),
                "low": round(low, 5),
                "high": round(high, 5),
                "p": float(f"{p:.3g}"),
                "test": test,
            }
        )
    order = list(CATALOGUE)
    return sorted(lines, key=lambda line: order.index(line["figure"]))

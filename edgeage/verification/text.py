"""A verification as a text for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeage.inspection.finding import Table, format_table
from edgeage.verification.statistics import HALF_LARGEST, HALF_SMALLEST

if TYPE_CHECKING:
    from edgeage.verification.report import EngineReport, LayerReport, Verification

__all__ = ["format_verification"]


def format_verification(found: Verification) -> str:
    """Return the engines, how any two agree, and a row a layer."""
    reference = found.reference
    any_two = (
        f"Any two: changed decisions of {found.pictures} (above the diagonal) and largest "
        "difference of a probability (below)"
    )
    relative = (
        f"Relative error of each blob against {reference} "
        "(length of the difference over length of the blob):"
    )
    parts = [
        [f"{found.model} on {found.origin}, compared with {reference}"],
        ["Engines:", *format_table(_engines(found))],
        _missing(found),
        [any_two, *format_table(_matrix(found))],
        [f"Range of each blob in {reference}:", *format_table(_ranges(found)), *_notes(found)],
        [relative, *format_table(_errors(found, "relative_error"))],
        ["Largest difference of a value:", *format_table(_errors(found, "max_error"))],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _engines(found: Verification) -> Table:
    columns = ["engine", "is", "max_difference", "mean_difference", "allowed", "changed"]
    columns += ["accuracy"] * found.labelled + ["verdict"]
    rows = []
    for engine in found.ran:
        row = [engine.key, engine.name, _short(engine.max_difference)]
        row += [_short(engine.mean_difference), _allowed(engine), str(engine.changed)]
        row += [f"{engine.accuracy:.1%}"] if engine.accuracy is not None else []
        reference = engine.key == found.reference
        rows.append((*row, "reference" if reference else _verdict(engine)))
    return Table("engines", tuple(columns), tuple(rows))


def _allowed(engine: EngineReport) -> str:
    return f"{_short(engine.max_allowed)}, mean {_short(engine.mean_allowed)}"


def _verdict(engine: EngineReport) -> str:
    return "within" if engine.within else "BEYOND"


def _missing(found: Verification) -> list[str]:
    lines = [
        f"  {engine.key}: {'failed: ' if engine.failed else ''}{engine.reason}"
        for engine in found.engines
        if engine.reason is not None
    ]
    return ["Not run:", *lines] if lines else []


def _matrix(found: Verification) -> Table:
    keys = [engine.key for engine in found.ran]
    pairs = {(pair.first, pair.second): pair for pair in found.pairs}
    rows = []
    for row, first in enumerate(keys):
        cells = [first]
        for column, second in enumerate(keys):
            if row == column:
                cells.append("·")
            elif row < column:
                cells.append(str(pairs[first, second].changed))
            else:
                cells.append(_short(pairs[second, first].max_difference))
        rows.append(tuple(cells))
    return Table("agreement", ("", *keys), tuple(rows))


def _ranges(found: Verification) -> Table:
    columns = ("blob", "as_after", "type", "largest", "headroom", "below_6.1e-5", "sum_of_squares")
    rows = [
        (
            layer.blob,
            layer.layer or "–",
            layer.layer_type,
            _short(layer.largest),
            f"{layer.headroom:.3g}×",
            f"{layer.small_share:.2%}",
            "–" if layer.inner is None else _short(layer.inner),
        )
        for layer in found.layers
    ]
    return Table("ranges", columns, tuple(rows))


def _notes(found: Verification) -> list[str]:
    about = (
        f"Half precision holds magnitudes up to {HALF_LARGEST:,.0f}, and with all its bits from "
        f"{HALF_SMALLEST:.1e}. A blob is taken as it is after the last layer that works on it "
        "in place."
    )
    lines = [about]
    for layer in found.layers:
        if layer.overflows:
            lines.append(f"{layer.blob} overflows half precision: {_short(layer.largest)}")
        if layer.inner is not None and layer.inner > HALF_LARGEST:
            lines.append(_inner_note(layer))
    return [*lines, *_scale_note(found)]


def _inner_note(layer: LayerReport) -> str:
    assert layer.inner is not None
    return (
        f"{layer.blob}: its sums of squares reach {_short(layer.inner)}; a device that takes them "
        "in half precision overflows there"
    )


def _scale_note(found: Verification) -> list[str]:
    """Say what the column of sums is of, since another graph's are larger."""
    scaled = [layer for layer in found.layers if (layer.inner_scale or 1) != 1]
    if not scaled:
        return []
    most = max(scaled, key=lambda layer: layer.inner_unscaled or 0)
    note = (
        "Sums of squares are those of the graph for a Myriad X, which divides the values by "
        f"{_short(most.inner_scale)} before it squares them; in one that does not, {most.blob}'s "
        f"reach {_short(most.inner_unscaled)}"
    )
    return [note]


def _errors(found: Verification, figure: str) -> Table:
    keys = [engine.key for engine in found.ran if engine.key != found.reference]
    rows = [
        (
            layer.blob,
            *(
                _short(values[key]) if key in (values := getattr(layer, figure)) else "–"
                for key in keys
            ),
        )
        for layer in found.layers
    ]
    return Table("errors", ("blob", *keys), tuple(rows))


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"

"""Measure following faces against looking at every face in every frame, in one run.

Run: python benchmarks/streaming.py [--archive UTKFace.tar.gz] [--quick] [--json FILE].

Made videos of 1, 5 and 20 faces (``made_video.py``: faces that cross, hide, leave and come back)
and one of 5 that move three times as fast go through ``Predictor.stream`` frame by frame, and
through it as a source whose faces are followed: judged in every frame, and searched at least every
second, fourth and eighth frame (the default). All take turns. A row has frames a second, against
the first; how many faces were found; how often a person got another track; how ages and genders err
and flicker, and how many of the age intervals hold the age. The faces are NASA's astronaut and
grown-ups of the archive that no model is tested by; the released networks were trained on most of
them, so errors compare the ways and say little of other faces. Without an archive they are the
astronaut and drawn ones, which no detector may find. ``--quick`` is a turn each of shorter videos.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from document import write_document
from made_video import MadeVideo, face_chips
from video_score import score

from edgeage import Predictor
from edgeage.speed import Figures, take_turns
from edgeage.streaming import ArraySource, StreamOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from edgeage import Face

    Answers = list[tuple[int, Sequence[Face]]]

SIZES = {1: (480, 640), 5: (480, 640), 20: (720, 960)}
SIDES = {1: 130, 5: 120, 20: 110}
# Faces, and how many times faster they move than in the first.
VIDEOS = ((1, 1), (5, 1), (20, 1), (5, 3))
FOLLOWED = {
    "judged every frame": StreamOptions(detect_every=1, refresh=1),
    "searched every frame": StreamOptions(detect_every=1),
    "searched every 2nd": StreamOptions(detect_every=2),
    "searched every 4th": StreamOptions(detect_every=4),
    "searched every 8th": StreamOptions(),
}
BASE = "each frame alone"


def alone(predictor: Predictor, frames: Sequence[np.ndarray]) -> Answers:
    """Look at every face in every frame; in frames without one there is none."""
    results = predictor.stream(frames, ahead=4)
    return [(number, result.faces) for number, result in enumerate(results)]


def followed(
    predictor: Predictor, frames: Sequence[np.ndarray], options: StreamOptions
) -> tuple[Answers, Any]:
    """Follow the faces."""
    stream = predictor.stream(ArraySource(frames), options=options)
    return [(frame.number, frame.faces) for frame in stream], stream.summary


def measure(
    predictor: Predictor, video: MadeVideo, *, pace: int, rounds: int
) -> list[dict[str, Any]]:
    """Time all ways in turn on one video, and score their answers."""
    frames, answers, summaries = list(video.frames()), {}, {}

    def run_alone() -> None:
        answers[BASE] = alone(predictor, frames)

    def run_followed(name: str) -> Callable[[], None]:
        def run() -> None:
            answers[name], summaries[name] = followed(predictor, frames, FOLLOWED[name])

        return run

    calls = [run_alone, *map(run_followed, FOLLOWED)]
    laps = take_turns(calls, seconds=0.001, rounds=rounds)
    rows: list[dict[str, Any]] = []
    for name, lap in zip((BASE, *FOLLOWED), laps, strict=True):
        fps = Figures.of(lap.turns_ms, len(frames)).img_per_s
        row = {"faces": len(video.chips), "pace": pace, "way": name, "fps": round(fps, 1)}
        row["speedup"] = round(fps / rows[0]["fps"], 2) if rows else 1.0
        followed_so = summaries.get(name)
        judged = sum(len(faces) for _, faces in answers[name])
        row["searched"] = followed_so.searched if followed_so else len(frames)
        row["estimates"] = followed_so.estimates if followed_so else judged
        rows.append(row | score(video, answers[name]).to_dict())
    return rows


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print the table."""
    print(
        f"{'faces':>5}{'pace':>5} {'way':20}{'fps':>7}{'×':>7}{'found':>7}{'switches':>9}"
        f"{'age error':>10}{'held':>7}{'flicker':>9}{'wrong gender':>13}{'flips':>7}"
    )
    for row in rows:
        switches = "" if row["way"] == BASE else row["switches"]
        error, held, wrong = (
            "" if row[name] is None else f"{row[name]:{form}}"
            for name, form in (("age_error", ".2f"), ("age_held", ".0%"), ("gender_errors", ".1%"))
        )
        print(
            f"{row['faces']:5}{row['pace']:5} {row['way']:20}{row['fps']:7.1f}{row['speedup']:7.2f}"
            f"{row['found']:7.1%}{switches:>9}{error:>10}{held:>7}{row['age_flicker']:9.2f}"
            f"{wrong:>13}{row['gender_flips']:7.2f}"
        )


def main() -> None:
    """Measure, print a table and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", type=Path, help="UTKFace's, for real faces of known age")
    parser.add_argument("--frames", type=int, default=120, help="how many frames a video has")
    parser.add_argument("--faces", type=int, nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--rounds", type=int, default=3, help="how many turns each way gets")
    parser.add_argument("--quick", action="store_true", help="60 frames, one turn")
    parser.add_argument("--detector", default="mtcnn", help="what finds the faces")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    if options.quick:
        options.frames, options.rounds = 60, 1
    chips = face_chips(options.archive, max(options.faces))
    rows: list[dict[str, Any]] = []
    with Predictor(device="CPU", detector=options.detector, detect="always") as predictor:
        models = [manifest.name for manifest in predictor.models]
        for count, pace in VIDEOS:
            if count in options.faces:
                frames = options.frames // pace
                video = MadeVideo(
                    chips[:count], frames=frames, size_hw=SIZES[count], side=SIDES[count]
                )
                rows += measure(predictor, video, pace=pace, rounds=options.rounds)
    show(rows)
    tools = ["openvino", "opencv-python", "numpy"]
    facts = {"models": models, "detector": options.detector, "frames": options.frames}
    facts["rounds"] = options.rounds
    faces = "UTKFace" if options.archive else "astronaut and drawn"
    write_document(options.json, tools, pictures=faces, **facts, rows=rows)


if __name__ == "__main__":
    main()

"""Follow the faces of a camera or a video: one line when somebody comes, and one in the end.

Usage: python examples/follow_faces.py SOURCE

SOURCE is a camera's number (0 is the first), a video file, a folder of frames, or an rtsp:// or
http:// address.
"""

import sys

from edgeage import Predictor
from edgeage.errors import EdgeageError


def main(source: str) -> None:
    """Print each face when its track begins, and what is known of it in the end."""
    known = {}
    with Predictor() as predictor, predictor.stream(source) as stream:
        for frame in stream:
            for face in frame.faces:
                if face.track not in known:
                    print(f"frame {frame.number}: face {face.track} at {face.box[:2]}")
                known[face.track] = face
    for track, face in known.items():
        low, high = face.age_interval or (face.age, face.age)
        print(f"face {track}: {face.gender}, {face.age:.0f} years ({low:.0f} to {high:.0f})")
    print(f"{stream.summary.frames} frames, {stream.summary.fps:.1f} a second")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("expected a source: python examples/follow_faces.py 0|VIDEO|FOLDER|URL")
    try:
        main(sys.argv[1])
    except EdgeageError as error:
        sys.exit(str(error))

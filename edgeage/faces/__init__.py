"""Finding faces in photographs, and cutting them out as the networks were trained on them."""

from edgeage.faces.crop import FaceSquare, cut_face, face_square, is_face_crop
from edgeage.faces.cutter import FaceCutter
from edgeage.faces.detection import Detection, Detector, Rechecking
from edgeage.faces.opening import DETECTORS, open_detector

__all__ = [
    "DETECTORS",
    "Detection",
    "Detector",
    "FaceCutter",
    "FaceSquare",
    "Rechecking",
    "cut_face",
    "face_square",
    "is_face_crop",
    "open_detector",
]

"""Finding faces in photographs, and cutting them out as the networks were trained on them."""

from edgeage.faces.detection import Detection, Detector

__all__ = ["Detection", "Detector"]

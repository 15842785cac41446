"""Opening a face detector by its name or its network's file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeage.errors import ModelError, UsageError, did_you_mean

if TYPE_CHECKING:
    from edgeage.faces.detection import Detector
    from edgeage.runtime.options import RuntimeOptions

__all__ = ["DETECTORS", "check_min_face", "open_detector"]

DETECTORS = ("mtcnn", "haar", "yunet", "dlib")
"""The detectors that have a name; others go by their network's path."""

_SUFFIXES = (".xml", ".onnx")
_UNDERSTOOD = (
    "an SSD (output 1×1×n×7), YuNet (outputs cls_8 to kps_32) or a YOLO face network "
    "(output 1×n×16, 1×5×n or 1×20×n)"
)


def open_detector(
    detector: str | Path | Detector,
    *,
    device: str = "CPU",
    options: RuntimeOptions | None = None,
    min_score: float | None = None,
    min_size: int | None = None,
) -> Detector:
    """Open a face detector.

    Args:
        detector: one of :data:`DETECTORS`; the path of a network, an OpenVINO IR (``.xml``) or
            an ONNX file, whose kind is told by its inputs and outputs; or an object that is a
            detector, which is returned as it is.
        device: the OpenVINO device that runs the detector's networks; ``haar``, ``yunet`` and
            ``dlib`` always run on the CPU.
        options: how to use the device; None for the defaults.
        min_score: how sure the detector must be of a face, 0 to 1; None for its own default.
        min_size: longer side in pixels of the smallest face wanted; None for the detector's own.

    Returns:
        The detector; close it when done.

    Raises:
        UsageError: for an unknown name or an impossible ``min_score`` or ``min_size``.
        ModelError: when a file is missing, no network, or none that finds faces.
        MissingDependencyError: when the detector's package is not installed.
        DeviceError: when the device is not there or refuses a network.
    """
    if min_score is not None and not 0 <= min_score <= 1:
        raise UsageError(f"expected min_score of 0 to 1, got {min_score}")
    if min_size is not None and min_size < 1:
        raise UsageError(f"expected min_size of at least 1 pixel, got {min_size}")
    if not isinstance(detector, str | Path):
        return detector
    limits: dict[str, Any] = {"min_score": min_score, "min_size": min_size}
    if str(detector) in DETECTORS:
        return _by_name(str(detector), device, options, limits)
    if Path(detector).suffix.lower() not in _SUFFIXES:
        raise UsageError(
            f"unknown face detector «{detector}»{did_you_mean(str(detector), DETECTORS)}; expected "
            f"{', '.join(DETECTORS)} or the path of a network (.xml or .onnx)"
        )
    return _by_file(Path(detector), device, options, limits)


def check_min_face(min_face: int | None, detector: object) -> None:
    """Refuse a smallest face that is impossible, or of a detector that is open already.

    Raises:
        UsageError: saying which.
    """
    if min_face is None:
        return
    if min_face < 1:
        raise UsageError(f"expected min_face of at least 1 pixel, got {min_face}")
    if not isinstance(detector, str | Path):
        raise UsageError(
            "min_face is for a detector that is opened by name or file; give your own what it needs"
        )


def _by_name(
    name: str, device: str, options: RuntimeOptions | None, limits: dict[str, Any]
) -> Detector:
    if name == "mtcnn":
        from edgeage.faces.mtcnn import MtcnnDetector

        return MtcnnDetector(device, options, **limits)
    if name == "haar":
        from edgeage.faces.opencv import HaarDetector

        return HaarDetector(**limits)
    if name == "dlib":
        from edgeage.faces.dlibhog import DlibDetector

        return DlibDetector(**limits)
    raise UsageError(
        f"the face detector {name} comes without its network; give the path of its .onnx file "
        "instead of its name"
    )


def _by_file(
    path: Path, device: str, options: RuntimeOptions | None, limits: dict[str, Any]
) -> Detector:
    from edgeage.faces.network import read_network
    from edgeage.faces.ssd import SsdDetector, is_ssd
    from edgeage.faces.yolo import YoloDetector, yolo_layout

    model = read_network(path)
    if len(model.inputs) == 1 and len(model.inputs[0].get_partial_shape()) == 4:
        if is_ssd(model):
            return SsdDetector(model, str(path), device, options, **limits)
        if yolo_layout(model):
            return YoloDetector(model, str(path), device, options, **limits)
        if path.suffix.lower() == ".onnx" and _is_yunet(model):
            from edgeage.faces.opencv import YunetDetector

            return YunetDetector(path, **limits)
    raise ModelError(
        f"{path} is no face detector edgeage understands: it has {_ports(model.inputs)} in and "
        f"{_ports(model.outputs)} out; expected one picture in and {_UNDERSTOOD}"
    )


def _is_yunet(model: Any) -> bool:
    wanted = {f"{kind}_{step}" for kind in ("cls", "obj", "bbox", "kps") for step in (8, 16, 32)}
    return wanted == {name for output in model.outputs for name in output.get_names()}


def _ports(ports: list[Any]) -> str:
    shown = [str(port.get_partial_shape()) for port in ports[:4]]
    return ", ".join(shown) + (f" and {len(ports) - 4} more" if len(ports) > 4 else "")

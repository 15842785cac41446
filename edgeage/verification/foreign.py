"""Engines in another Python: real Caffe, and the OpenVINO releases that still drive a stick."""

from __future__ import annotations

import abc
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeage.compiler.profiles import Profile, read_profile
from edgeage.errors import ToolchainError
from edgeage.inspection.ir import read_ir
from edgeage.movidius import Toolchain, find_toolchain, run_job
from edgeage.verification.engines import Engine, TrainedEngine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgeage.verification.subject import Subject

__all__ = [
    "OPENVINO_2022_VARIABLE",
    "CaffeEngine",
    "OpenVINO2021Engine",
    "OpenVINO2022Engine",
]

OPENVINO_2022_VARIABLE = "EDGEAGE_OPENVINO_2022_PYTHON"
"""Environment variable that names a Python with OpenVINO 2022.3."""


def _in_order(arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    return [arrays[f"blob_{place}"].astype(np.float32) for place in range(len(arrays))]


class CaffeEngine(TrainedEngine):
    """Real BVLC Caffe, in the toolchain's Python."""

    key, name = "caffe", "Caffe"

    def tool_problem(self) -> str | None:
        """Say how to get the toolchain where it is not installed."""
        try:
            find_toolchain()
        except ToolchainError as error:
            return str(error)
        return None

    def layers(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Run it in one go; see :meth:`Engine.layers`."""
        blobs = [point.blob for point in self.subject.points]
        request = {
            "prototxt": str(self.trained.prototxt),
            "caffemodel": str(self.trained.caffemodel),
            "blobs": blobs,
        }
        arrays = {"batch": self.subject.normalised(batch)}
        reply, found = run_job(find_toolchain(), "run_caffe", request, arrays)
        self.name = f"Caffe {reply['version']}"
        return dict(zip(blobs, _in_order(found), strict=True))


class _IREngine(Engine):
    """Runs an IR on the CPU plugin of another OpenVINO.

    A compiled model's own IR where there is one, else the one the trained network would be
    compiled to for a stick.
    """

    newest_ir = 10

    @abc.abstractmethod
    def toolchain(self) -> Toolchain:
        """Return the Python that has this OpenVINO.

        Raises:
            ToolchainError: when there is none.
        """

    @property
    def profile(self) -> Profile:
        """The profile it was compiled by; for a trained network the stick's."""
        if (compiled := self.subject.compiled) is not None:
            return read_profile(compiled.target, compiled.precision)
        return read_profile("MYRIAD", "FP16")

    def problem(self) -> str | None:
        """Say that the Python is not there, or that it does not read this version of the IR."""
        try:
            self.toolchain()
        except ToolchainError as error:
            return str(error)
        if self.subject.compiled is None:
            return None
        version = read_ir(self.subject.compiled.file("ir_xml")).version
        if version <= self.newest_ir:
            return None
        return (
            f"it reads IR up to version {self.newest_ir} and this one is of version {version}; "
            "compile with --target MYRIAD"
        )

    @functools.cached_property
    def _ir(self) -> tuple[Path, Path]:
        if (compiled := self.subject.compiled) is not None:
            return compiled.file("ir_xml"), compiled.file("ir_bin")
        return _write_old_ir(self.subject, self.folder)

    def layers(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Run it picture by picture; see :meth:`Engine.layers`."""
        xml, weights = self._ir
        output = self.subject.manifest.output_name
        known = {layer["name"] for layer in read_ir(xml).layers.values() if "name" in layer}
        layer_of = {
            point.blob: point.layer
            for point in self.subject.points
            if point.layer in known or point.blob == output
        }
        request = {
            "xml": str(xml),
            "bin": str(weights),
            "device": "CPU",
            # Of a compiled model alone only the output is known, by its tensor's name.
            "outputs": [layer or output for layer in layer_of.values()],
        }
        reply, found = run_job(self.toolchain(), "run_ir", request, {"batch": batch})
        self.name = f"OpenVINO {reply['version'].split('-')[0]}"
        return dict(zip(layer_of, _in_order(found), strict=True))


def _write_old_ir(subject: Subject, folder: Path) -> tuple[Path, Path]:
    """Write the stick's graph as IR version 10, which every release since 2020 reads."""
    import openvino as ov

    from edgeage.compiler.compile import trained_graph

    assert subject.trained is not None
    xml, weights = folder / "v10.xml", folder / "v10.bin"
    if not xml.is_file():
        graph = trained_graph(subject.trained, read_profile("MYRIAD", "FP16"))
        ov.serialize(graph, xml, weights, "IR_V10")
    return xml, weights


class OpenVINO2021Engine(_IREngine):
    """OpenVINO 2021.4, whose wheels are the last with the MYRIAD plugin, in the toolchain."""

    key, name = "openvino-2021.4", "OpenVINO 2021.4"

    def toolchain(self) -> Toolchain:
        """Return the Movidius tools' Python."""
        return find_toolchain()


class OpenVINO2022Engine(_IREngine):
    """OpenVINO 2022.3, the last release for the stick, in a Python the user names."""

    key, name = "openvino-2022.3", "OpenVINO 2022.3"
    newest_ir = 11

    def toolchain(self) -> Toolchain:
        """Return the Python named by ``$EDGEAGE_OPENVINO_2022_PYTHON``."""
        named = os.environ.get(OPENVINO_2022_VARIABLE)
        if not named:
            raise ToolchainError(
                f"${OPENVINO_2022_VARIABLE} is not set; let it name a Python with OpenVINO 2022.3"
            )
        if not Path(named).is_file():
            raise ToolchainError(f"{named} (${OPENVINO_2022_VARIABLE}) is no Python")
        return Toolchain(Path(named).absolute(), managed=False)

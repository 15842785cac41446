"""Engines that run a graph in this Python's OpenVINO."""

from __future__ import annotations

import abc
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeage.compiler.profiles import Profile, read_profile
from edgeage.errors import ModelError
from edgeage.runtime.core import openvino_core
from edgeage.verification.engines import Engine, TrainedEngine

if TYPE_CHECKING:
    from edgeage.manifest import Manifest

__all__ = ["CompiledEngine", "HalfWeightsEngine", "OpenVINOEngine"]


class _GraphEngine(Engine):
    """Runs a graph that takes bytes and whose nodes carry the names of the Caffe layers."""

    @abc.abstractmethod
    def graph(self) -> Any:
        """Return the ``openvino.Model``, with the network's output as its only one."""

    def options(self) -> dict[str, str]:
        """Return what OpenVINO is told when it compiles the graph for the CPU."""
        return dict(self.profile.options)

    @functools.cached_property
    def _compiled(self) -> tuple[Any, list[str]]:
        """The compiled graph and the blobs it answers with, the output first."""
        import openvino as ov

        from edgeage.runtime.openvino import translated

        with translated(f"compile {self.subject.manifest.name}", ModelError):
            graph = self.graph()
            blobs = self._add_points(graph)
            compiled = openvino_core().compile_model(graph, "CPU", self.options())
            computes = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        release = ov.__version__.split("-")[0]
        self.name = f"{self.name} (OpenVINO {release}, computing in {computes})"
        return compiled, blobs

    def _add_points(self, graph: Any) -> list[str]:
        output = self.subject.manifest.output_name
        nodes = {node.get_friendly_name(): node for node in graph.get_ordered_ops()}
        found = [p for p in self.subject.points if p.blob != output and p.layer in nodes]
        for point in found:
            graph.add_outputs(nodes[point.layer].output(0))
        return [output, *(point.blob for point in found)]

    def layers(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Run it picture by picture, as a device does; see :meth:`Engine.layers`."""
        from edgeage.runtime.openvino import translated

        compiled, blobs = self._compiled
        rows = []
        with translated(f"run {self.subject.manifest.name}", ModelError):
            request = compiled.create_infer_request()
            for pixels in batch:
                request.infer([pixels[None]])
                rows.append(
                    [
                        np.array(request.get_output_tensor(place).data, np.float32)
                        for place in range(len(blobs))
                    ]
                )
        stacked = (np.concatenate(column) for column in zip(*rows, strict=True))
        return dict(zip(blobs, stacked, strict=True))


class OpenVINOEngine(_GraphEngine, TrainedEngine):
    """The graph «edgeage compile» builds for the CPU in single precision."""

    key, name = "openvino-fp32", "graph in FP32"
    precision = "FP32"

    @property
    def profile(self) -> Profile:
        """The CPU's profile of its precision."""
        return read_profile("CPU", self.precision)

    def graph(self) -> Any:
        """Build it from the trained network."""
        from edgeage.compiler.compile import trained_graph

        return trained_graph(self.trained, self.profile)


class HalfWeightsEngine(OpenVINOEngine):
    """The same with weights in half precision, computing in what this CPU prefers."""

    key, name = "openvino-fp16", "graph with FP16 weights"
    precision = "FP16"


class CompiledEngine(_GraphEngine):
    """The compiled model's own IR, on this CPU whatever device it is for."""

    key, name = "compiled", "the compiled IR"

    def problem(self) -> str | None:
        """Nothing stands in its way: the manifest was read."""
        return None

    @property
    def profile(self) -> Profile:
        """The profile it was compiled by."""
        return read_profile(self._manifest.target, self._manifest.precision)

    @property
    def _manifest(self) -> Manifest:
        assert self.subject.compiled is not None
        return self.subject.compiled

    def options(self) -> dict[str, str]:
        """Return the model's own options; those for another device mean nothing to the CPU."""
        return dict(self._manifest.options) if self._manifest.target == "CPU" else {}

    def graph(self) -> Any:
        """Read it."""
        return openvino_core().read_model(
            self._manifest.file("ir_xml"), self._manifest.file("ir_bin")
        )

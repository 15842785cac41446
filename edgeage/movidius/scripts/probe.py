"""What the Movidius tools in this Python can do: versions, devices, a small net on each.

Runs on Python 3.6 and newer. Request: ``{"what": "openvino"}`` or ``{"what": "caffe"}``, asked in
two processes since each brings libraries of its own.
"""

import os
import shutil
import tempfile

import jobio
import numpy as np

# A network of one layer, y = max(x, 0), in the IR of version 10.
_IR = """<?xml version="1.0"?>
<net name="probe" version="10"><layers>
<layer id="0" name="x" type="Parameter" version="opset1">
<data shape="1,3,8,8" element_type="{element}"/>
<output><port id="0" precision="{precision}">{dims}</port></output></layer>
<layer id="1" name="y" type="ReLU" version="opset1">
<input><port id="0">{dims}</port></input>
<output><port id="1" precision="{precision}">{dims}</port></output></layer>
<layer id="2" name="y/sink" type="Result" version="opset1">
<input><port id="0">{dims}</port></input></layer>
</layers><edges>
<edge from-layer="0" from-port="0" to-layer="1" to-port="0"/>
<edge from-layer="1" from-port="1" to-layer="2" to-port="0"/>
</edges></net>
"""
_DIMS = "<dim>1</dim><dim>3</dim><dim>8</dim><dim>8</dim>"
_MAGIC = b"/>\n\x7felf"


def probe(request, _arrays):
    """Answer the request: versions and, for each thing tried, what came of it."""
    if request["what"] == "caffe":
        return caffe_answer(), {}
    return openvino_answer(), {}


def caffe_answer():
    """Import Caffe and ask it for the layer types training needs."""
    try:
        import caffe
    except Exception as error:  # a broken library raises all sorts of things
        raise jobio.JobError("caffe cannot be imported: %s" % one_line(error), "import") from None
    missing = sorted({"Data", "Convolution", "LRN"} - set(caffe.layer_type_list()))
    return {"version": caffe.__version__, "missing_layers": missing}


def openvino_answer():
    """Say the version and devices of OpenVINO and how a small net fares on CPU and MYRIAD."""
    engine = open_engine()
    answer = {"version": engine.version, "devices": list(engine.devices())}
    for name, function in (
        ("myriad_plugin", engine.myriad_plugin),
        ("cpu", lambda: run_on_cpu(engine)),
        ("blob", lambda: compile_blob(engine, answer["devices"])),
    ):
        try:
            answer[name] = {"ok": True, "detail": function()}
        except Exception as error:  # plugins raise RuntimeError, AttributeError and their own
            answer[name] = {"ok": False, "detail": one_line(error)}
    return answer


def open_engine():
    """Return whichever of OpenVINO's two interfaces this Python has, the old one first."""
    try:
        return OldEngine()
    except ImportError as error:
        said = one_line(error)
    try:
        return NewEngine()
    except ImportError:
        raise jobio.JobError("openvino cannot be imported: %s" % said, "import") from None


class OldEngine(object):
    """``openvino.inference_engine``, of 2021.4."""

    def __init__(self):
        from openvino.inference_engine import IECore, get_version

        self.core, self.version = IECore(), get_version()

    def devices(self):
        """Return the names of the devices that are there."""
        return self.core.available_devices

    def myriad_plugin(self):
        """Load the MYRIAD plugin and return its build."""
        return self.core.get_versions("MYRIAD")["MYRIAD"].build_number

    def cache_in(self, folder):
        """Let plugins keep what they compile in a folder."""
        self.core.set_config({"CACHE_DIR": folder}, "")

    def compile(self, path, device, config):
        """Read a network and compile it for a device."""
        network = self.core.read_network(model=path)
        return self.core.load_network(network, device, config)

    def infer(self, compiled, picture):
        """Return the network's answer for a picture."""
        return compiled.infer({"x": picture})["y"]


class NewEngine(object):
    """``openvino.runtime``, of 2022.1 and newer."""

    def __init__(self):
        from openvino.runtime import Core, get_version

        self.core, self.version = Core(), get_version()

    def devices(self):
        """Return the names of the devices that are there."""
        return self.core.available_devices

    def myriad_plugin(self):
        """Load the MYRIAD plugin and return its build."""
        return self.core.get_versions("MYRIAD")["MYRIAD"].build_number

    def cache_in(self, folder):
        """Let plugins keep what they compile in a folder."""
        self.core.set_property({"CACHE_DIR": folder})

    def compile(self, path, device, config):
        """Read a network and compile it for a device."""
        return self.core.compile_model(self.core.read_model(path), device, config)

    def infer(self, compiled, picture):
        """Return the network's answer for a picture."""
        return next(iter(compiled.infer_new_request([picture]).values()))


def run_on_cpu(engine):
    """Run the small net and check every value of its answer."""
    folder = tempfile.mkdtemp(prefix="edgeage-probe-")
    try:
        compiled = engine.compile(write_net(folder, "f32", "FP32"), "CPU", {})
        picture = np.linspace(-1, 1, 192, dtype=np.float32).reshape(1, 3, 8, 8)
        answer = engine.infer(compiled, picture)
        if not np.array_equal(answer, np.maximum(picture, 0)):
            raise ValueError("the CPU plugin computes max(x, 0) wrongly")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return "a small net runs"


def compile_blob(engine, devices):
    """Compile the small net for a stick that is not there; the plugin leaves it in its cache."""
    if any(name.startswith("MYRIAD") for name in devices):
        return "not tried, so as not to disturb the stick that is plugged in"
    folder = tempfile.mkdtemp(prefix="edgeage-probe-")
    try:
        engine.cache_in(folder)
        said = ""
        try:
            engine.compile(
                write_net(folder, "f16", "FP16"),
                "MYRIAD",
                {"VPU_MYRIAD_PLATFORM": "VPU_MYRIAD_2480"},
            )
        except Exception as error:  # it always ends in «no available devices»
            said = one_line(error)
        kept = [name for name in os.listdir(folder) if name.endswith(".blob")]
        if not kept or not holds_blob(os.path.join(folder, kept[0])):
            raise RuntimeError(said or "the plugin left no blob")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return "a small net compiles with no stick"


def holds_blob(path):
    """Say whether a file of the plugin's cache has a blob behind its line of XML."""
    with open(path, "rb") as stream:
        return _MAGIC in stream.read(4096)


def write_net(folder, element, precision):
    """Write the small net and its empty weights; return the path of its XML."""
    path = os.path.join(folder, "probe.xml")
    with open(path, "w") as stream:
        stream.write(_IR.format(element=element, precision=precision, dims=_DIMS))
    open(os.path.join(folder, "probe.bin"), "wb").close()
    return path


def one_line(error):
    """Return an error's text in one line."""
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    jobio.serve(probe)

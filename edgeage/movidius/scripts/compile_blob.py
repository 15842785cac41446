"""Compile an IR into a MYRIAD blob, with no stick attached.

OpenVINO 2021.4's MYRIAD plugin has no «compile only», but it puts what it compiled into its cache
before it looks for a stick: a line of XML, then the blob. It is taken from there.

Request: ``xml``, ``bin``, ``output`` (where the blob goes), ``config`` (settings of the plugin),
``output_precision`` ("FP32" or "FP16"); or ``{"version": true}`` to ask for the version alone.
Answer: ``version`` of OpenVINO.
"""

import os
import re
import shutil
import tempfile

import jobio

# The one line before the blob in a cached file ends so.
HEADER_END = b"/>\n"
LONGEST_HEADER = 4096
# What the plugin says after it has compiled, where there is no stick to load the blob to.
NO_STICK = ("no available devices", "Can not init Myriad device", "Failed to find")


def answer(request, _arrays):
    """Compile the network and put the blob where it was asked for."""
    try:
        from openvino import inference_engine as api
    except ImportError as error:
        raise jobio.JobError("this Python cannot import openvino: %s" % error, "missing") from None
    version = api.get_version()
    if not request.get("version"):
        folder = tempfile.mkdtemp(dir=os.path.dirname(request["output"]))
        try:
            compile_network(api, request, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return {"version": version}, {}


def compile_network(api, request, folder):
    """Let the plugin compile with ``folder`` as its cache, and take the blob out of it."""
    said = ""
    try:
        core = api.IECore()
        core.set_config({"CACHE_DIR": folder}, "")
        net = core.read_network(model=request["xml"], weights=request["bin"])
        for info in net.input_info.values():
            info.precision = "U8"
        for data in net.outputs.values():
            data.precision = request["output_precision"]
        core.load_network(net, "MYRIAD", request["config"])
    # The binding raises RuntimeError, ValueError and its own kinds for what the plugin says.
    except Exception as error:
        said = str(error)
    found = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    if len(found) != 1 or not os.path.getsize(found[0]):
        raise jobio.JobError(*explained(said))
    with open(found[0], "rb") as stream:
        data = stream.read()
    start = data.find(HEADER_END, 0, LONGEST_HEADER)
    blob = data if data.startswith(b"\x7felf") else data[start + len(HEADER_END) :]
    if not blob.startswith(b"\x7felf"):
        raise jobio.JobError("the plugin's cache does not hold a blob as expected", "cache")
    with open(request["output"], "wb") as stream:
        stream.write(blob)


def explained(said):
    """Return one line for what the plugin said, and its kind."""
    # Without the source files' names and the kinds of exception, which tell a user nothing.
    text = re.sub(r"\S+\.[ch]pp:\d+|\[ [A-Z_]+ \]|\[ ERROR \]|AssertionFailed:", " ", said)
    text = " ".join(text.split())[:300] or "the plugin wrote no blob and gave no reason"
    if "libusb" in said:
        return "the MYRIAD plugin cannot load libusb-1.0.so.0", "libusb"
    if "not registered" in said or "Cannot load library" in said:
        return "this OpenVINO has no MYRIAD plugin: %s" % text, "no-plugin"
    if any(sign in said for sign in NO_STICK):
        return "the MYRIAD plugin kept nothing of what it compiled: %s" % text, "cache"
    if re.search(r"unsupported|not supported", said, re.I):
        return "the Myriad X cannot run this network: %s" % text, "unsupported"
    if re.search(r"out of memory|not enough|cannot allocate", said, re.I):
        return "the network does not fit into the chip: %s" % text, "memory"
    return "the MYRIAD compiler failed: %s" % text, "failed"


if __name__ == "__main__":
    jobio.serve(answer)

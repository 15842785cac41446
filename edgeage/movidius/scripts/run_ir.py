"""Run an OpenVINO IR on a batch, through the API of 2021.4 or that of 2022 and later.

Request: ``xml``, ``bin``, ``device`` (for example "CPU"), ``outputs`` (names of layers or
tensors, or null for the network's own outputs), ``options`` (device settings, may be absent).
Array ``batch``: (n, 3, height, width) in the network's own dtype.
Answer: ``outputs`` (their names), ``version`` of OpenVINO, and arrays ``blob_0``, ``blob_1``, …
in that order, with all n rows.
"""

import functools
import importlib
import os

import numpy as np

import jobio


def answer(request, arrays):
    """Run the batch one picture at a time, as a compiled network takes them."""
    for key in ("xml", "bin"):
        if not os.path.isfile(request[key]):
            raise jobio.JobError("%s is missing" % request[key], "missing")
    runner = open_network()
    try:
        names, version, infer = runner(request)
        rows = [infer(arrays["batch"][place : place + 1]) for place in range(len(arrays["batch"]))]
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[0] if lines else "no reason given"
        raise jobio.JobError(
            "OpenVINO cannot run %s: %s" % (request["xml"], reason), "openvino"
        ) from None
    answers = {
        "blob_%d" % place: np.concatenate([row[place] for row in rows])
        for place in range(len(names))
    }
    return {"outputs": names, "version": version}, answers


def open_network():
    """Return the function that opens a network with the API this Python has."""
    for open_with, module in (
        (open_runtime, "openvino.runtime"),
        (open_runtime, "openvino"),
        (open_inference_engine, "openvino.inference_engine"),
    ):
        try:
            found = importlib.import_module(module)
        except ImportError:
            continue
        if hasattr(found, "Core") or hasattr(found, "IECore"):
            return functools.partial(open_with, found)
    raise jobio.JobError("this Python cannot import openvino", "no-openvino")


def open_runtime(api, request):
    """Open a network with ``openvino.runtime``, as 2022 and later have it."""
    core = api.Core()
    compute_in_single(core.set_property, request["device"], "INFERENCE_PRECISION_HINT", "f32")
    model = core.read_model(request["xml"], request["bin"])
    asked = request.get("outputs")
    if asked:
        ends = [find_end(model, name) for name in asked]
        model.add_outputs([end for end in ends if not is_result(end)])
    names = asked or [end.get_any_name() for end in model.outputs]
    compiled = core.compile_model(model, request["device"], request.get("options") or {})
    wanted = [pick_output(compiled, name) for name in names]
    run = compiled.create_infer_request()

    def infer(row):
        found = run.infer([row])
        return [np.array(found[port]) for port in wanted]

    return list(names), api.get_version(), infer


def compute_in_single(configure, device, key, value):
    """Have a CPU with bf16 arithmetic compute in single precision, as any other CPU does.

    A release that does not know the setting has no such arithmetic.
    """
    if device != "CPU":
        return
    try:
        configure("CPU", {key: value})
    except (RuntimeError, TypeError):
        pass


def find_end(model, name):
    """Return the output of the node, or the tensor, of a name."""
    for node in model.get_ordered_ops():
        if node.get_friendly_name() == name or name in node_names(node):
            return node.output(0)
    raise jobio.JobError("the network has no layer or tensor %s" % name, "no-output")


def node_names(node):
    """Return the names of a node's first tensor; a node without an output has none."""
    return node.output(0).get_names() if node.get_output_size() else set()


def is_result(end):
    """Say whether a tensor is one of the network's outputs already."""
    return any(target.get_node().get_type_name() == "Result" for target in end.get_target_inputs())


def pick_output(compiled, name):
    """Return the compiled network's output of a tensor's or a layer's name."""
    for port in compiled.outputs:
        source = port.get_node().input_value(0).get_node()
        if name in port.get_names() or source.get_friendly_name() == name:
            return port
    raise jobio.JobError("the compiled network has no output %s" % name, "no-output")


def open_inference_engine(api, request):
    """Open a network with ``openvino.inference_engine`` (2021.4)."""
    core = api.IECore()
    compute_in_single(
        lambda device, config: core.set_config(config, device),
        request["device"],
        "ENFORCE_BF16",
        "NO",
    )
    net = core.read_network(model=request["xml"], weights=request["bin"])
    asked = request.get("outputs")
    names = asked or list(net.outputs)
    layers = [layer_of(net, name) for name in names]
    new = [layer for layer in layers if layer not in net.outputs]
    if new:
        net.add_outputs(new)
    entry = next(iter(net.input_info))
    loaded = core.load_network(net, request["device"], request.get("options") or {})

    def infer(row):
        found = loaded.infer({entry: row})
        return [np.array(found[layer], np.float32) for layer in layers]

    return list(names), api.get_version(), infer


def layer_of(net, name):
    """Return the layer of a name, be it the layer's own or that of its tensor."""
    import ngraph

    function = ngraph.function_from_cnn(net)
    for node in function.get_ordered_ops():
        if node.get_friendly_name() == name:
            return name
    try:
        return net.get_ov_name_for_tensor(name)
    except RuntimeError:
        raise jobio.JobError("the network has no layer or tensor %s" % name, "no-output") from None


if __name__ == "__main__":
    jobio.serve(answer)

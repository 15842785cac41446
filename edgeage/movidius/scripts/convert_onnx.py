"""Turn an ONNX file into an IR of version 10 for one picture, with OpenVINO 2021.4's own reader.

Request: ``onnx``, ``xml`` and ``bin`` (where the IR goes). Answer: ``version`` of OpenVINO.
"""

import jobio


def answer(request, _arrays):
    """Read, fix the batch, write."""
    try:
        from openvino import inference_engine as api
    except ImportError as error:
        raise jobio.JobError("this Python cannot import openvino: %s" % error, "missing") from None
    try:
        net = api.IECore().read_network(model=request["onnx"])
        net.reshape({name: [1] + list(request["shape"]) for name in net.input_info})
        net.serialize(request["xml"], request["bin"])
    # The binding raises RuntimeError, ValueError and its own kinds.
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        raise jobio.JobError("OpenVINO 2021.4 cannot read the network: %s" % text, "onnx") from None
    return {"version": api.get_version()}, {}


if __name__ == "__main__":
    jobio.serve(answer)

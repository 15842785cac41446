"""Run a Caffe network on a batch with real Caffe and hand back the blobs asked for.

Request: ``prototxt`` (deploy), ``caffemodel``, ``blobs`` (names, or null for the outputs).
Array ``batch``: float32 (n, 3, height, width), the mean already subtracted.
Answer: ``blobs`` (their names) and ``version``; arrays ``blob_0``, ``blob_1``, … in that order,
with all n rows.
"""

import os

# Before Caffe is imported: its log of every layer goes to stderr otherwise.
os.environ.setdefault("GLOG_minloglevel", "2")

import numpy as np  # noqa: E402

import jobio  # noqa: E402

# Rows a run takes at once: enough to keep the matrix products busy, little enough for a Raspberry.
ROWS = 16


def answer(request, arrays):
    """Run the whole batch, a few rows at a time."""
    try:
        import caffe
    except ImportError as error:
        raise jobio.JobError("this Python cannot import caffe: %s" % error, "no-caffe") from None
    caffe.set_mode_cpu()
    for key in ("prototxt", "caffemodel"):
        if not os.path.isfile(request[key]):
            raise jobio.JobError("%s is missing" % request[key], "missing")
    net = caffe.Net(str(request["prototxt"]), str(request["caffemodel"]), caffe.TEST)
    names = request.get("blobs") or list(net.outputs)
    unknown = [name for name in names if name not in net.blobs]
    if unknown:
        raise jobio.JobError("the network has no blob %s" % unknown[0], "no-blob")
    parts = run(net, arrays["batch"], names)
    answers = {"blob_%d" % place: np.concatenate(rows) for place, rows in enumerate(parts)}
    return {"blobs": names, "version": getattr(caffe, "__version__", "unknown")}, answers


def run(net, batch, names):
    """Return a list of arrays a blob, which together hold the rows of the whole batch."""
    inputs = net.inputs[0]
    parts = [[] for _ in names]
    for start in range(0, len(batch), ROWS):
        rows = batch[start : start + ROWS]
        if net.blobs[inputs].data.shape != rows.shape:
            net.blobs[inputs].reshape(*rows.shape)
            net.reshape()
        net.blobs[inputs].data[...] = rows
        net.forward()
        for place, name in enumerate(names):
            parts[place].append(net.blobs[name].data.astype(np.float32).copy())
    return parts


if __name__ == "__main__":
    jobio.serve(answer)

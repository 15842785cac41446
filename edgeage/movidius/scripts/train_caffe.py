"""Trains with real Caffe; the other side is ``edgeage.training.caffe_process``.

    python train_caffe.py FD REQUEST.json

Progress goes, a JSON object a line, to the file descriptor FD, which nobody else knows: Caffe,
glog and whatever else prints have standard output and error for themselves. Standard input takes
«go» once the net stands, and «stop»; its end means that the asker is gone.

Snapshots are written into the current folder; the asker puts them where they belong.
Runs on Python 3.6 and newer, with the standard library, numpy and a ``caffe`` that is Caffe 1.0's.
"""

import json
import os
import select
import sys
import time


class RefusedError(Exception):
    """Something to tell the asker in one line; ``kind`` lets it tell one from another."""

    def __init__(self, kind, message):
        Exception.__init__(self, message)
        self.kind = kind


class Asker(object):
    """Who started this program: told of progress, asked whether to go on."""

    def __init__(self, descriptor):
        self._pipe = os.fdopen(descriptor, "w", encoding="utf-8")
        self._said = b""
        self.stopped = False

    def tell(self, event, **fields):
        """Send one event."""
        fields["event"] = event
        self._pipe.write(json.dumps(fields) + "\n")
        self._pipe.flush()

    def wait(self):
        """Return when told to go."""
        while b"go\n" not in self._said and not self.stopped:
            self._listen(None)

    def wants_to_stop(self):
        """Return whether to end now; never waits."""
        self._listen(0)
        return self.stopped

    def _listen(self, timeout):
        while not self.stopped and select.select([0], [], [], timeout)[0]:
            said = os.read(0, 4096)
            if not said:
                # Nobody is left to put a snapshot in its place.
                os._exit(1)
            self._said += said
            self.stopped = b"stop\n" in self._said
            if timeout is None:
                return


def import_caffe():
    """Import Caffe, or say why not."""
    try:
        import caffe
    except ImportError as error:
        raise RefusedError("import", str(error)) from None
    if not hasattr(caffe, "get_solver"):
        raise RefusedError("import", "its module «caffe» has no solvers")
    return caffe


def index_of(net, kind):
    """Return the index of a net's first layer of a type, or None."""
    kinds = [layer.type for layer in net.layers]
    return kinds.index(kind) if kind in kinds else None


def sizes(net):
    """Return how many numbers each blob of each layer holds, by layer name."""
    return {name: [blob.count for blob in blobs] for name, blobs in net.params.items()}


def set_weights(net, path):
    """Copy weights into the layers of the same names and sizes; return the names of the others."""
    import numpy as np

    found = {}
    with np.load(path, allow_pickle=False) as arrays:
        for key in sorted(arrays.files):
            name, _, _ = key.rpartition("/")
            found.setdefault(name, []).append(arrays[key])
    left = []
    for name, expected in sizes(net).items():
        if [array.size for array in found.get(name, [])] != expected:
            left.append(name)
            continue
        for index, array in enumerate(found[name]):
            data = net.params[name][index].data
            data[...] = array.reshape(data.shape)
    return left


def resume(solver, wanted):
    """Go on from a snapshot, if it is this network's, at the batch that would have come."""
    kept = wanted["sizes"]
    missing = [name for name, expected in sizes(solver.net).items() if kept.get(name) != expected]
    if missing:
        raise RefusedError("misfit", ", ".join(missing))
    solver.restore(wanted["state"])
    data = index_of(solver.net, "Data")
    for _ in range(wanted["skip"]):
        solver.net._forward(0, data)


def weighted_loss(net):
    """Return the sum of a net's losses as they stand in its blobs."""
    weights = net.blob_loss_weights.items()
    return sum(weight * float(net.blobs[name].data.sum()) for name, weight in weights if weight)


class Losses(object):
    """The loss of each iteration, over all its passes."""

    def __init__(self, net, passes):
        self.net, self.passes, self.total = net, passes, 0.0
        self.last = len(net.layers) - 1
        if passes > 1:
            net.after_forward(self._after)

    def _after(self, layer):
        if layer == self.last:
            self.total += weighted_loss(self.net)

    def take(self):
        """Return the loss of the iteration that just ended."""
        if self.passes == 1:
            return weighted_loss(self.net)
        total, self.total = self.total / self.passes, 0.0
        return total


def score(solver, images):
    """Return loss and accuracy over ``images`` pictures, each looked at once.

    Caffe's data layer always gives whole batches, so the last one is cut to what is left.
    """
    net = solver.test_nets[0]
    net.share_with(solver.net)
    data, last = index_of(net, "Data"), len(net.layers) - 1
    accuracy = index_of(net, "Accuracy")
    if accuracy is None:
        raise RefusedError("", "the network has no Accuracy layer in phase TEST")
    names = list(net._layer_names)
    hits, tops = net.top_names[names[accuracy]][0], net.top_names[names[data]]
    loss = correct = 0.0
    left = images
    while left:
        net._forward(0, data)
        rows = min(left, net.blobs[tops[0]].shape[0])
        for top in tops:
            net.blobs[top].reshape(rows, *list(net.blobs[top].shape)[1:])
        loss += net._forward(data + 1, last) * rows
        correct += float(net.blobs[hits].data.sum()) * rows
        left -= rows
    return loss / images, correct / images


def train(asker, solver, request):
    """Iterate, test and take snapshots as the request says."""
    every, test = request["snapshot"], request["test"]

    def snapshot():
        solver.snapshot()
        asker.tell("snapshot", iteration=solver.iter)

    def test_if_due():
        if test and solver.iter % test["every"] == 0:
            loss, accuracy = score(solver, test["images"])
            asker.tell("test", iteration=solver.iter, loss=loss, accuracy=accuracy)

    saved = solver.iter
    losses = Losses(solver.net, request["passes"])
    if solver.iter == 0 and test and test["initial"]:
        test_if_due()
    while solver.iter < request["max_iter"] and not asker.wants_to_stop():
        started = time.time()
        solver.step(1)
        took = time.time() - started
        asker.tell("step", iteration=solver.iter, loss=losses.take(), seconds=took)
        test_if_due()
        if every and solver.iter % every == 0:
            snapshot()
            saved = solver.iter
    if saved != solver.iter:
        snapshot()
    asker.tell("end", iteration=solver.iter)


def serve(asker, request):
    """Do what the request asks for."""
    caffe = import_caffe()
    if request["gpu"] is None:
        caffe.set_mode_cpu()
    else:
        caffe.set_mode_gpu()
        caffe.set_device(request["gpu"])
    solver = caffe.get_solver(request["solver"])
    left = []
    if request["resume"]:
        resume(solver, request["resume"])
    elif request["weights"]:
        left = set_weights(solver.net, request["weights"])
        if len(left) == len(solver.net.params):
            raise RefusedError("nothing", "")
    version = str(getattr(caffe, "__version__", "unknown"))
    asker.tell("ready", caffe=version, iteration=solver.iter, left=left)
    asker.wait()
    train(asker, solver, request)


def without_core_dumps():
    """Caffe ends in abort() for a wrong file name; that is no reason to fill the disk."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        pass


if __name__ == "__main__":
    without_core_dumps()
    parent = Asker(int(sys.argv[1]))
    with open(sys.argv[2], encoding="utf-8") as stream:
        wanted = json.load(stream)
    try:
        serve(parent, wanted)
    except RefusedError as refusal:
        parent.tell("error", kind=refusal.kind, message=str(refusal))
        sys.exit(1)
    except MemoryError:
        parent.tell("error", kind="memory", message="")
        sys.exit(1)
    except BrokenPipeError:
        os._exit(1)

"""Drive one device for ``edgeage.movidius.worker``, which starts this in the toolchain's Python.

Runs on Python 3.6 and newer, with the standard library, numpy and one OpenVINO: 2021.4
(``openvino.inference_engine``) or 2022 and later (``openvino.runtime``, ``openvino``). Its only
argument is a JSON object: ``device``, ``memory`` (a file's descriptor or path), ``beat_s`` and
``parent`` (a process id). Commands come on stdin and answers leave on stdout, in frames: magic,
kind, length, then JSON, or packed numbers where a picture is concerned. Pictures and answers lie
in the shared file. Whatever a library prints on stdout goes to stderr instead.

The process ends when its commands end, and when its parent is gone.
"""

import gc
import importlib
import json
import mmap
import os
import queue
import struct
import sys
import threading
import time

import numpy as np

PROTOCOL = 1
MAGIC = b"EAw\x01"
HEADER = struct.Struct("<4sBI")
RUN = struct.Struct("<IHH")  # request, network, slot
DONE = struct.Struct("<If")  # request, milliseconds on the device
FAILED = struct.Struct("<I")  # request; then the reason as text
HELLO, LOAD_IT, LOADED, NOT_LOADED, RUN_IT, RUN_DONE, RUN_FAILED, BEAT = range(1, 9)
MAX_FRAME = 1 << 20
CLOSING_S = 5.0


class Channel:
    """The two pipes to the client, on descriptors nobody else writes to."""

    def __init__(self):
        self._in = os.fdopen(os.dup(0), "rb")
        self._out = os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def read(self):
        """Return the next frame's kind and payload, or None when there are no more."""
        header = self._in.read(HEADER.size)
        if len(header) < HEADER.size:
            return None
        magic, kind, length = HEADER.unpack(header)
        if magic != MAGIC or length > MAX_FRAME:
            sys.stderr.write("what came in is no command: %r\n" % header)
            sys.stderr.flush()
            os._exit(2)
        payload = self._in.read(length)
        return (kind, payload) if len(payload) == length else None

    def write(self, kind, payload):
        """Send a frame; end the process when nobody listens any more."""
        data = memoryview(HEADER.pack(MAGIC, kind, len(payload)) + payload)
        with self._lock:
            try:
                while data:
                    data = data[os.write(self._out, data) :]
            except OSError:
                os._exit(0)

    def write_json(self, kind, value):
        """Send a frame of JSON."""
        self.write(kind, json.dumps(value).encode("utf-8"))


class OldCore:
    """OpenVINO 2021.4 and before."""

    def __init__(self, inference_engine):
        self.version = getattr(inference_engine, "__version__", "unknown")
        self._core = inference_engine.IECore()

    def devices(self, plugin):
        """Return the ids of the devices a plugin finds free."""
        return [str(name) for name in self._core.get_metric(plugin, "AVAILABLE_DEVICES")]

    def read(self, xml, weights):
        """Read a network that takes bytes and answers float32."""
        network = self._core.read_network(model=xml, weights=weights)
        for entry in network.input_info.values():
            entry.precision = "U8"
        for entry in network.outputs.values():
            entry.precision = "FP32"
        return network

    def load(self, network, device, options, count):
        """Load what was read; return ``count`` requests to run it with."""
        if device == "CPU":
            # As run_ir.py: in single precision on CPUs with bf16 too.
            self._core.set_config({"ENFORCE_BF16": "NO"}, "CPU")
        return self._requests(self._core.load_network(network, device, options, count))

    def load_blob(self, blob, device, options, count):
        """Load a network that is compiled already; return the requests."""
        return self._requests(self._core.import_network(blob, device, options, count))

    def _requests(self, executable):
        source, target = next(iter(executable.input_info)), next(iter(executable.outputs))
        return [OldRequest(executable, request, source, target) for request in executable.requests]


class OldRequest:
    """One infer request of 2021.4."""

    def __init__(self, executable, request, source, target):
        # A request of 2021.4 is gone with its network.
        self._executable, self._request = executable, request
        self._source, self._target = source, target

    def shapes(self):
        """Return the shapes of input and output."""
        request = self._request
        return (
            request.input_blobs[self._source].buffer.shape,
            request.output_blobs[self._target].buffer.shape,
        )

    def run(self, picture, answer):
        """Answer one picture, (3, height, width), into ``answer``, (labels,)."""
        self._request.input_blobs[self._source].buffer[0] = picture
        self._request.async_infer()
        status = self._request.wait(-1)
        if status != 0:
            raise RuntimeError("the inference ended with status %s" % status)
        # Asked for anew: the first run of the CPU plugin puts the output elsewhere.
        answer[:] = self._request.output_blobs[self._target].buffer.reshape(-1)


class NewCore:
    """OpenVINO 2022 and later."""

    def __init__(self, runtime):
        self.version = runtime.get_version()
        self._core = runtime.Core()

    def devices(self, plugin):
        """Return the ids of the devices a plugin finds free."""
        return [str(name) for name in self._core.get_property(plugin, "AVAILABLE_DEVICES")]

    def read(self, xml, weights):
        """Read a network that takes bytes and answers float32."""
        return self._core.read_model(xml, weights)

    def load(self, model, device, options, count):
        """Load what was read; return ``count`` requests to run it with."""
        compiled = self._core.compile_model(model, device, options)
        return [NewRequest(compiled.create_infer_request()) for _ in range(count)]

    def load_blob(self, blob, device, options, count):
        """Load a network that is compiled already; return the requests."""
        with open(blob, "rb") as stream:
            compiled = self._core.import_model(stream.read(), device, options)
        return [NewRequest(compiled.create_infer_request()) for _ in range(count)]


class NewRequest:
    """One infer request of 2022 and later."""

    def __init__(self, request):
        self._request = request
        self._in, self._out = request.get_input_tensor(0), request.get_output_tensor(0)

    def shapes(self):
        """Return the shapes of input and output."""
        return tuple(self._in.shape), tuple(self._out.shape)

    def run(self, picture, answer):
        """Answer one picture, (3, height, width), into ``answer``, (labels,)."""
        self._in.data[0] = picture
        self._request.start_async()
        self._request.wait()
        answer[:] = self._out.data.reshape(-1)


def open_core():
    """Return the OpenVINO that is here; 2022 has both names, 2026 has all one level up."""
    for name, opens in (
        ("openvino.runtime", NewCore),
        ("openvino.inference_engine", OldCore),
        ("openvino", NewCore),
    ):
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            missing = getattr(error, "name", None)
            if missing is None or not name.startswith(missing):
                raise
        else:
            return opens(module)
    raise ImportError("there is no OpenVINO in %s" % sys.executable)


class AnotherNetworkError(Exception):
    """The files hold a network of other shapes than asked for."""


class Network:
    """A loaded network: its infer requests, each run by a thread of its own."""

    def __init__(self, core, channel, memory, order):
        self._channel, self._tasks = channel, queue.Queue()
        self._view(memory, order)
        requests = self._open(core, order)
        found = requests[0].shapes()
        expected = ((1,) + tuple(order["input_shape"]), order["labels"])
        if tuple(found[0]) != expected[0] or int(np.prod(found[1])) != expected[1]:
            raise AnotherNetworkError(
                "expected input %s and %d answers, found %s and %s"
                % (expected[0], expected[1], tuple(found[0]), tuple(found[1]))
            )
        self.warm_up_ms = self._warm_up(requests, order)
        for request in requests:
            thread = threading.Thread(target=self._work, args=(request,))
            thread.daemon = True
            thread.start()

    def put(self, request, slot):
        """Have the picture in a slot answered."""
        self._tasks.put((request, slot))

    def _open(self, core, order):
        device, options, count = order["device"], order["options"], order["requests"]
        if order.get("blob"):
            return core.load_blob(order["blob"], device, options, count)
        return core.load(core.read(order["xml"], order["bin"]), device, options, count)

    def _view(self, memory, order):
        """Lay numpy arrays over this network's part of the shared file: pictures, then answers."""
        slots, labels = order["slots"], order["labels"]
        shape = (slots,) + tuple(order["input_shape"])
        region = mmap.mmap(memory, order["size"], offset=order["offset"])
        self._pictures = np.frombuffer(region, np.uint8, int(np.prod(shape))).reshape(shape)
        answers = np.frombuffer(region, np.float32, slots * labels, order["answers_at"])
        self._answers = answers.reshape(slots, labels)

    def _warm_up(self, requests, order):
        """Run every request once; return how long the first took, in milliseconds."""
        picture = np.zeros(order["input_shape"], np.uint8)
        answer = np.zeros(order["labels"], np.float32)
        times = []
        for request in requests:
            started = time.time()
            request.run(picture, answer)
            times.append((time.time() - started) * 1000)
        return times[0]

    def _work(self, request):
        while True:
            number, slot = self._tasks.get()
            started = time.time()
            try:
                request.run(self._pictures[slot], self._answers[slot])
            # Whatever the native library throws is the client's to judge.
            except Exception as error:  # noqa: BLE001
                text = str(error).encode("utf-8")[:4000]
                self._channel.write(RUN_FAILED, FAILED.pack(number) + text)
            else:
                took_ms = (time.time() - started) * 1000
                self._channel.write(RUN_DONE, DONE.pack(number, took_ms))


class Worker:
    """The process: one thread reads, one gives signs of life, the first one loads."""

    def __init__(self, options):
        self._device, self._parent = options["device"], options["parent"]
        self._beat_s = options["beat_s"]
        memory = options["memory"]
        self._memory = memory if isinstance(memory, int) else os.open(memory, os.O_RDWR)
        self._channel, self._orders = Channel(), queue.Queue()
        self._networks = {}

    def run(self):
        """Serve until the commands end."""
        for target in (self._beat, self._read):
            thread = threading.Thread(target=target)
            thread.daemon = True
            thread.start()
        core = self._greet()
        while core is not None:
            order = self._orders.get()
            if order is None:
                break
            self._load(core, order)
        # The plugin gives the stick back when the last of its objects goes.
        self._networks.clear()
        core = None
        gc.collect()
        os._exit(0)

    def _greet(self):
        hello = {"protocol": PROTOCOL, "python": sys.version.split()[0], "pid": os.getpid()}
        core = None
        try:
            core = open_core()
            hello["openvino"] = core.version
            hello["devices"] = core.devices(self._device.split(".")[0])
        # A broken installation raises all sorts of things; the client has to hear which.
        except Exception as error:  # noqa: BLE001
            hello["error"] = _text(error)
            hello["kind"] = "import" if core is None else "device"
        self._channel.write_json(HELLO, hello)
        return core

    def _load(self, core, order):
        started = time.time()
        try:
            network = Network(core, self._channel, self._memory, order)
        # So does a device that refuses a network; the worker goes on for the next one.
        except Exception as error:  # noqa: BLE001
            said = {"network": order["network"], "error": _text(error)}
            said["kind"] = "model" if isinstance(error, AnotherNetworkError) else "device"
            self._channel.write_json(NOT_LOADED, said)
            return
        self._networks[order["network"]] = network
        took_ms = (time.time() - started) * 1000
        said = {"network": order["network"], "load_ms": took_ms - network.warm_up_ms}
        said["warm_up_ms"] = network.warm_up_ms
        self._channel.write_json(LOADED, said)

    def _read(self):
        while True:
            frame = self._channel.read()
            if frame is None:
                break
            kind, payload = frame
            if kind == RUN_IT:
                number, network, slot = RUN.unpack(payload)
                self._networks[network].put(number, slot)
            elif kind == LOAD_IT:
                self._orders.put(json.loads(payload.decode("utf-8")))
        self._orders.put(None)
        # In case the main thread hangs in the plugin.
        time.sleep(CLOSING_S)
        os._exit(1)

    def _beat(self):
        while True:
            self._channel.write(BEAT, b"")
            time.sleep(self._beat_s)
            if hasattr(os, "getppid") and os.name == "posix" and os.getppid() != self._parent:
                os._exit(0)


def _text(error):
    return str(error) or type(error).__name__


if __name__ == "__main__":
    Worker(json.loads(sys.argv[1])).run()

"""As much of OpenVINO 2022 as the worker uses."""

from __future__ import annotations

import json
import types

import device


def get_version():
    return "2022.3-standin"


class Core:
    def get_property(self, _plugin, name):
        assert name == "AVAILABLE_DEVICES"
        return device.devices()

    def read_model(self, model, weights):
        assert weights
        return device.Network(model)

    def compile_model(self, network, device_name, _config):
        network.load(device_name)
        return _Compiled(network)

    def import_model(self, content, device_name, _config):
        device.fail_if_told("blob_error")
        network = device.Network.__new__(device.Network)
        network.shape, network.path = json.loads(content), "imported.blob"
        network.load(device_name)
        return _Compiled(network)


class _Compiled:
    def __init__(self, network):
        self._network = network

    def create_infer_request(self):
        return _Request(*self._network.arrays())


class _Request:
    def __init__(self, picture, answer):
        self._in = types.SimpleNamespace(data=picture, shape=picture.shape)
        self._out = types.SimpleNamespace(data=answer, shape=answer.shape)

    def get_input_tensor(self, _index):
        return self._in

    def get_output_tensor(self, _index):
        return self._out

    def start_async(self):
        pass

    def wait(self):
        device.run(self._in.data, self._out.data)

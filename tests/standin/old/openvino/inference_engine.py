"""As much of OpenVINO 2021.4 as the worker uses."""

from __future__ import annotations

import types

import device

__version__ = "2021.4-standin"


class IECore:
    def get_metric(self, _plugin, name):
        assert name == "AVAILABLE_DEVICES"
        return device.devices()

    def read_network(self, model, weights):
        assert weights
        network = device.Network(model)
        network.input_info = {"data": types.SimpleNamespace(precision="FP32")}
        network.outputs = {"prob": types.SimpleNamespace(precision="FP16")}
        return network

    def load_network(self, network, device_name, _config, num_requests):
        assert network.input_info["data"].precision == "U8"
        assert network.outputs["prob"].precision == "FP32"
        network.load(device_name)
        return _Executable(network, num_requests)

    def import_network(self, model_file, device_name, _config, num_requests):
        device.fail_if_told("blob_error")
        network = device.Network(model_file)
        network.load(device_name)
        return _Executable(network, num_requests)


class _Executable:
    def __init__(self, network, count):
        self.input_info, self.outputs = {"data": None}, {"prob": None}
        self.requests = [_Request(*network.arrays()) for _ in range(count)]


class _Request:
    def __init__(self, picture, answer):
        self.input_blobs = {"data": types.SimpleNamespace(buffer=picture)}
        self.output_blobs = {"prob": types.SimpleNamespace(buffer=answer)}

    def async_infer(self):
        pass

    def wait(self, _timeout):
        device.run(self.input_blobs["data"].buffer, self.output_blobs["prob"].buffer)
        return 0

"""The Movidius tools' texts, as they were seen, and the errors they become."""

from __future__ import annotations

import re

import pytest

from edgeage.errors import (
    DeviceBusyError,
    DeviceError,
    DeviceLostError,
    DeviceNotFoundError,
    DevicePermissionError,
    DeviceVersionError,
    EdgeageError,
    ModelError,
    ToolchainError,
)
from edgeage.movidius.remedies import TROUBLES, device_error, find_trouble

SEEN = [
    # 2021.4.2 without a stick: load_network and import_network.
    ("Can not init Myriad device: NC_ERROR", DeviceNotFoundError),
    ("Myriad device: 1.2-ma2480 not found.", DeviceNotFoundError),
    (
        "Can not create infer request: there is no available devices with platform 2480",
        DeviceNotFoundError,
    ),
    # openvino issue 236, in a virtual machine.
    (
        (
            "E: [ncAPI] [    231949] ncDeviceOpen:672\tFailed to find suitable device, rc: "
            "X_LINK_DEVICE_NOT_FOUND"
        ),
        DeviceNotFoundError,
    ),
    # openvino issues 12429 and 13288, OpenVINO 2022.1 and 2022.2.
    ("Failed to allocate graph: MYRIAD device is not opened.", DeviceNotFoundError),
    # openvino issue 18321, OpenVINO 2022.3.1.
    ("Device didn't appear after reboot", DeviceNotFoundError),
    # openvino issues 230 and 18321.
    ("Failed to read output from FIFO: NC_ERROR", DeviceLostError),
    # openvino issue 11758.
    (
        (
            "E: [ncAPI] [    621315] [fhm-ncs] getDevAttributes:1258\tFailed to read data, rc: "
            "X_LINK_ERROR"
        ),
        DeviceLostError,
    ),
    ("E: [xLink] [620314] [Scheduler00Thr] sendEvents:1132\tEvent sending failed", DeviceLostError),
    # libusb_strerror() of LIBUSB_ERROR_ACCESS and LIBUSB_ERROR_BUSY.
    ("Access denied (insufficient permissions)", DevicePermissionError),
    ("Resource busy", DeviceBusyError),
    # In the plugin's library.
    ("Device was already opened", DeviceBusyError),
    ("ncDeviceOpen:754 global mutex initialization failed", DevicePermissionError),
    (
        "BlobReader error: The version of imported blob doesn't match graph_transformer",
        DeviceVersionError,
    ),
    (
        "BlobReader error: The magic number imported blob doesn't match graph_transformer",
        DeviceVersionError,
    ),
    # openvino issue 11809, OpenVINO 2022.1.
    ("[ GENERAL_ERROR ]  AssertionFailed: offset + sizeof(T) <= blob.size()", DeviceVersionError),
    # An IR of OpenVINO 2026 given to 2021.4.2.
    (
        (
            "Unknown model format! Cannot find reader for model format: xml and read the model: "
            "a.xml. Please check that reader library exists in your PATH."
        ),
        DeviceVersionError,
    ),
    ("Cannot create MaxPool layer pool1 id:11 from unsupported opset: opset8", DeviceVersionError),
    ("Error reading network: cannot parse future versions: 6", DeviceVersionError),
    ("Incorrect weights in bin file!", ModelError),
    ("[ NOT_FOUND ] Unsupported property NO_SUCH by CPU plugin", ModelError),
    # 2021.4.2 without libusb.
    (
        (
            "Failed to create plugin a/libmyriadPlugin.so for device MYRIAD\nPlease, check your "
            "environment\nCannot load library 'a/libmyriadPlugin.so': libusb-1.0.so.0: cannot open "
            "shared object file: No such file or directory\n"
        ),
        ToolchainError,
    ),
    # The wheels of 2022.3.1, and 2021.4.2 for a device it never had.
    ('Device with "MYRIAD" name is not registered in the OpenVINO Runtime', ToolchainError),
    ('Device with "MYRIAD" name is not registered in the InferenceEngine', ToolchainError),
    ("Firmware not found in: /opt/usb-ma2x8x.mvcmd", ToolchainError),
]


@pytest.mark.parametrize(("text", "error"), SEEN, ids=[text[:40] for text, _ in SEEN])
def test_a_text_of_the_tools_becomes_an_error_of_ours(text, error):
    made = device_error("open MYRIAD", text)
    assert type(made) is error
    said = str(made)
    assert said.startswith("cannot open MYRIAD: ")
    assert " ".join(text.split()) in said
    assert "\n" not in said
    cause = find_trouble(text).causes[0]
    assert said.index(cause.text) < said.index(cause.remedy)


def test_the_log_tells_why_when_the_error_does_not():
    log = "some line\nE: libusb_open: Access denied (insufficient permissions)\nanother"
    made = device_error("open MYRIAD", "Can not init Myriad device: NC_ERROR", log)
    assert type(made) is DevicePermissionError
    assert "udev" in str(made)


def test_the_log_does_not_overrule_an_error_that_is_clear():
    made = device_error("load agenet", "Incorrect weights in bin file!", "X_LINK_ERROR")
    assert type(made) is ModelError


def test_an_unknown_text_is_told_as_it_is():
    made = device_error("run on MYRIAD", "something\nnew")
    assert type(made) is DeviceError
    assert str(made) == "cannot run on MYRIAD: something new; look with: edgeage doctor"


def test_every_trouble_is_one_of_ours_with_causes_and_remedies():
    for trouble in TROUBLES:
        assert re.compile(trouble.pattern)
        assert issubclass(trouble.error, EdgeageError)
        assert trouble.causes
        for cause in trouble.causes:
            assert cause.text
            assert cause.remedy


def test_every_trouble_is_reached_by_a_text_that_was_seen():
    unseen = {"the stick's memory is full"}
    reached = {find_trouble(text).meaning for text, _ in SEEN}
    assert {trouble.meaning for trouble in TROUBLES} - unseen == reached

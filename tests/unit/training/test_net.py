"""Networks built from prototxts: parameters, phases, unknown layers, agreement with OpenCV."""

import numpy as np
import pytest
import torch

from edgeage.caffe import parse_net, read_net, write_weights
from edgeage.errors import ModelError, UnsupportedLayerError
from edgeage.paths import data_dir
from edgeage.training.net import TorchNet

DATA = 'layer { name: "data" type: "Input" top: "data" } '


def _net(layers: str, shape=(3, 8, 8)) -> TorchNet:
    return TorchNet(parse_net(DATA + layers), shape, seed=1, phases=("TEST",))


@pytest.mark.parametrize(("name", "classes"), [("agenet", 9), ("gendernet", 2)])
def test_the_released_networks_are_levi_and_hassners(name, classes):
    net = TorchNet(read_net(data_dir("prototxt") / f"{name}_train_test.prototxt"), (3, 227, 227))
    found = {(entry.layer, entry.index): entry for entry in net.parameters}
    shapes = {key: tuple(entry.blob.shape) for key, entry in found.items()}
    assert shapes == {
        ("conv1", 0): (96, 3, 7, 7),
        ("conv1", 1): (96,),
        ("conv2", 0): (256, 96, 5, 5),
        ("conv2", 1): (256,),
        ("conv3", 0): (384, 256, 3, 3),
        ("conv3", 1): (384,),
        ("fc6", 0): (512, 384 * 7 * 7),
        ("fc6", 1): (512,),
        ("fc7", 0): (512, 512),
        ("fc7", 1): (512,),
        ("fc8", 0): (classes, 512),
        ("fc8", 1): (classes,),
    }
    for (layer, index), entry in found.items():
        factor = 10 if layer == "fc8" else 1
        assert (entry.lr_mult, entry.decay_mult) == ((factor, 1), (2 * factor, 0))[index]
    biases = [entry.blob.unique().tolist() for (_, index), entry in found.items() if index]
    assert biases == [[0], [1], [0], [1], [1], [0]]
    for layer, std in (("conv1", 0.01), ("conv3", 0.01), ("fc6", 0.005), ("fc7", 0.005)):
        assert found[layer, 0].blob.std().item() == pytest.approx(std, rel=0.05)


@pytest.mark.parametrize("name", ["agenet", "gendernet"])
def test_the_deploy_network_agrees_with_opencv(name, tmp_path):
    import cv2

    prototxt = data_dir("prototxt") / f"{name}_deploy.prototxt"
    param = read_net(prototxt)
    train = read_net(data_dir("prototxt") / f"{name}_train_test.prototxt")
    weights = TorchNet(train, (3, 227, 227), seed=5).weights()
    # The fillers' weights leave the output flat; larger ones make every layer count.
    weights = {layer: [blobs[0] * 3, blobs[1]] for layer, blobs in weights.items()}
    write_weights(tmp_path / "net.caffemodel", param, weights)
    net = TorchNet(param, (3, 227, 227), phases=("TEST",))
    net.load(weights)
    pixels = np.random.default_rng(0).normal(0, 60, (4, 3, 227, 227)).astype(np.float32)
    with torch.no_grad():
        found = net.forward("TEST", torch.from_numpy(pixels), torch.zeros(4))["prob"].numpy()
    reference = cv2.dnn.readNetFromCaffe(str(prototxt), str(tmp_path / "net.caffemodel"))
    for row, picture in zip(found, pixels, strict=True):
        reference.setInput(picture[None])
        np.testing.assert_allclose(row, reference.forward().reshape(-1), atol=1e-4)
    assert np.ptp(found[:, 0]) > 1e-3  # the pictures do make a difference


def test_both_phases_share_their_parameters(tiny_trainer):
    net = tiny_trainer().net
    assert len(net.parameters) == 6
    pixels, labels = torch.randn(2, 3, 15, 15), torch.tensor([0, 1])
    before = net.forward("TEST", pixels, labels)["fc3"]
    with torch.no_grad():
        net.parameters[0].blob.mul_(-2)
    after = net.forward("TEST", pixels, labels)["fc3"]
    assert not torch.equal(before, after)


def test_pooling_before_relu_changes_no_value_and_no_gradient():
    block = (
        'layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param {'
        ' num_output: 4 kernel_size: 3 weight_filler { type: "gaussian" std: 0.3 } } }'
        'layer { name: "r" type: "ReLU" bottom: "c" top: "c" }'
        'layer { name: "p" type: "Pooling" bottom: "c" top: "p"'
        " pooling_param { pool: MAX kernel_size: 3 stride: 2 } }"
    )
    # A second reader of the blob between them forbids the swap.
    kept = block + 'layer { name: "s" type: "Softmax" bottom: "c" top: "s" }'
    swapped, plain = _net(block), _net(kept)
    plain.load(swapped.weights())
    pixels = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    results = []
    for net in (swapped, plain):
        pooled = net.forward("TEST", pixels, torch.zeros(2))["p"]
        (pooled**2).sum().backward()
        results.append((pooled.detach(), net.parameters[0].blob.grad))
    assert [layer.param.type for layer in swapped._phases["TEST"]][1:] == ["Pooling", "ReLU"]
    assert [layer.param.type for layer in plain._phases["TEST"]][1:3] == ["ReLU", "Pooling"]
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        pytest.param(
            'layer { name: "x" type: "Convolutoin" bottom: "data" top: "x" }',
            "layer «x» has type «Convolutoin».*did you mean «Convolution»",
            id="unknown-type",
        ),
        pytest.param(
            'layer { name: "n" type: "LRN" bottom: "data" top: "n"'
            " lrn_param { norm_region: WITHIN_CHANNEL } }",
            r"layer «n» \(LRN\).*ACROSS_CHANNELS",
            id="lrn-within",
        ),
        pytest.param(
            'layer { name: "p" type: "Pooling" bottom: "data" top: "p"'
            " pooling_param { pool: STOCHASTIC kernel_size: 2 } }",
            "pooling STOCHASTIC",
            id="stochastic",
        ),
        pytest.param(
            'layer { name: "i" type: "InnerProduct" bottom: "data" top: "i"'
            " inner_product_param { num_output: 2 axis: 2 } }",
            "only axis 1",
            id="axis",
        ),
        pytest.param(
            'layer { name: "c" type: "Convolution" bottom: "data" top: "c"'
            " convolution_param { num_output: 2 kernel_size: 1"
            ' weight_filler { type: "xvaier" } } }',
            "filler «xvaier».*did you mean «xavier»",
            id="filler",
        ),
        pytest.param(
            'layer { name: "c" type: "Convolution" bottom: "data" top: "c"'
            " convolution_param { num_output: 2 } }",
            "kernel_size above 0",
            id="no-kernel",
        ),
    ],
)
def test_what_is_not_known_is_named(layers, reason):
    with pytest.raises(UnsupportedLayerError, match=reason):
        _net(layers)


def test_a_bottom_nobody_makes_is_named():
    with pytest.raises(ModelError, match="layer «r» wants the blob 'dta'"):
        _net('layer { name: "r" type: "ReLU" bottom: "dta" top: "r" }')


def test_a_network_without_loss_cannot_be_trained():
    net = _net('layer { name: "r" type: "ReLU" bottom: "data" top: "r" }')
    with pytest.raises(ModelError, match="no loss layer"):
        net.loss("TEST", net.forward("TEST", torch.zeros(1, 3, 8, 8), torch.zeros(1)))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param("kernel_h: 3 kernel_w: 1", (1, 2, 6, 8), id="kernel_h-kernel_w"),
        pytest.param("kernel_size: 3 kernel_size: 1", (1, 2, 6, 8), id="two-kernel-sizes"),
        pytest.param("kernel_size: 3 pad: 1 stride: 2", (1, 2, 4, 4), id="pad-and-stride"),
        pytest.param("kernel_size: 3 dilation: 2", (1, 2, 4, 4), id="dilation"),
    ],
)
def test_convolution_settings(settings, expected):
    net = _net(
        'layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param {'
        f" num_output: 2 {settings} }} }}"
    )
    blobs = net.forward("TEST", torch.zeros(1, 3, 8, 8), torch.zeros(1))
    assert tuple(blobs["c"].shape) == expected


@pytest.mark.parametrize(
    ("filler", "low", "high"),
    [
        pytest.param('type: "constant" value: 3', 3, 3, id="constant"),
        pytest.param('type: "uniform" min: -2 max: 1', -2, 1, id="uniform"),
        pytest.param('type: "xavier"', -((3 / 192) ** 0.5), (3 / 192) ** 0.5, id="xavier"),
        pytest.param(
            'type: "xavier" variance_norm: FAN_OUT', -((3 / 40) ** 0.5), (3 / 40) ** 0.5, id="out"
        ),
    ],
)
def test_fillers_stay_in_their_range(filler, low, high):
    net = _net(
        'layer { name: "i" type: "InnerProduct" bottom: "data" top: "i" inner_product_param {'
        f" num_output: 40 weight_filler {{ {filler} }} }} }}"
    )
    values = net.parameters[0].blob.detach()
    assert values.min().item() == pytest.approx(low, rel=0.02)
    assert values.max().item() == pytest.approx(high, rel=0.02)


def test_msra_keeps_the_variance():
    net = _net(
        'layer { name: "i" type: "InnerProduct" bottom: "data" top: "i" inner_product_param {'
        ' num_output: 200 weight_filler { type: "msra" } } }'
    )
    assert net.parameters[0].blob.std().item() == pytest.approx((2 / 192) ** 0.5, rel=0.02)


def test_sparse_gaussian_keeps_that_many_inputs_on_average():
    net = _net(
        'layer { name: "i" type: "InnerProduct" bottom: "data" top: "i" inner_product_param {'
        ' num_output: 100 weight_filler { type: "gaussian" std: 1 sparse: 25 } } }'
    )
    share = (net.parameters[0].blob != 0).float().mean().item()
    assert share == pytest.approx(0.25, abs=0.02)

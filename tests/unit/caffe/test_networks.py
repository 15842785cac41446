"""The shipped networks and solvers are Levi & Hassner's, and OpenCV runs what we write."""

import numpy as np
import pytest

from edgeage.caffe import filter_net, read_net, read_solver, read_weights, write_weights
from edgeage.paths import data_dir

NETWORKS = {"agenet": ("age", 9), "gendernet": ("gender", 2)}
LEARNED = {
    "conv1": ((96, 3, 7, 7), 0.01, 0),
    "conv2": ((256, 96, 5, 5), 0.01, 1),
    "conv3": ((384, 256, 3, 3), 0.01, 0),
    "fc6": ((512, 384 * 7 * 7), 0.005, 1),
    "fc7": ((512, 512), 0.005, 1),
    "fc8": ((None, 512), 0.01, 0),
}
TYPES = [
    "Data",
    *("Convolution", "ReLU", "Pooling", "LRN"),
    *("Convolution", "ReLU", "Pooling", "LRN"),
    *("Convolution", "ReLU", "Pooling"),
    *("InnerProduct", "ReLU", "Dropout"),
    *("InnerProduct", "ReLU", "Dropout"),
    "InnerProduct",
]


def load(name, kind):
    return read_net(data_dir("prototxt") / f"{name}_{kind}.prototxt")


def random_weights(classes):
    numbers = np.random.default_rng(11)
    weights = {}
    for name, (shape, std, bias) in LEARNED.items():
        full = (classes, *shape[1:]) if shape[0] is None else shape
        kernel = numbers.normal(0, std, full).astype(np.float32)
        weights[name] = [kernel, np.full(full[0], bias, np.float32)]
    return weights


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_stand_in_the_papers_order(name):
    train = filter_net(load(name, "train_test"), "TRAIN")
    test = filter_net(load(name, "train_test"), "TEST")
    deploy = load(name, "deploy")
    assert [layer.type for layer in train.layer] == [*TYPES, "SoftmaxWithLoss"]
    assert [layer.type for layer in test.layer] == [*TYPES, "Accuracy", "SoftmaxWithLoss"]
    assert [layer.type for layer in deploy.layer] == ["Input", *TYPES[1:], "Softmax"]
    assert list(deploy.layer[0].input_param.shape[0].dim) == [1, 3, 227, 227]
    assert (deploy.layer[-1].name, list(deploy.layer[-1].top)) == ("prob", ["prob"])


@pytest.mark.parametrize("name", NETWORKS)
def test_every_bottom_is_a_top_before_it(name):
    for net in (
        filter_net(load(name, "train_test"), "TRAIN"),
        filter_net(load(name, "train_test"), "TEST"),
        load(name, "deploy"),
    ):
        known = set()
        for layer in net.layer:
            assert known.issuperset(layer.bottom), layer.name
            known.update(layer.top)


@pytest.mark.parametrize("name", NETWORKS)
def test_fillers_and_multipliers_are_the_papers(name):
    layers = {layer.name: layer for layer in load(name, "train_test").layer}
    for learned, (shape, std, bias) in LEARNED.items():
        layer = layers[learned]
        param = layer.convolution_param if "conv" in learned else layer.inner_product_param
        assert param.num_output == (shape[0] or NETWORKS[name][1])
        assert (param.weight_filler.type, param.weight_filler.std) == (
            "gaussian",
            pytest.approx(std),
        )
        assert (param.bias_filler.type, param.bias_filler.value) == ("constant", bias)
        rates = (10, 20) if learned == "fc8" else (1, 2)
        assert [(spec.lr_mult, spec.decay_mult) for spec in layer.param] == [
            (rates[0], 1),
            (rates[1], 0),
        ]


@pytest.mark.parametrize("name", NETWORKS)
def test_windows_and_normalisation_are_the_papers(name):
    for kind in ("train_test", "deploy"):
        layers = {layer.name: layer for layer in load(name, kind).layer}
        conv1 = layers["conv1"].convolution_param
        assert (list(conv1.kernel_size), list(conv1.stride), list(conv1.pad)) == ([7], [4], [])
        assert list(layers["conv2"].convolution_param.pad) == [2]
        assert list(layers["conv3"].convolution_param.pad) == [1]
        for number in (1, 2, 3):
            pool = layers[f"pool{number}"].pooling_param
            assert (pool.pool, pool.kernel_size, pool.stride, pool.pad) == (pool.MAX, 3, 2, 0)
        for number in (1, 2):
            lrn = layers[f"norm{number}"].lrn_param
            assert (lrn.norm_region, lrn.local_size) == (lrn.ACROSS_CHANNELS, 5)
            assert (lrn.alpha, lrn.beta, lrn.k) == (pytest.approx(1e-4), 0.75, 1)
        for dropout in ("drop6", "drop7"):
            assert layers[dropout].dropout_param.dropout_ratio == 0.5


@pytest.mark.parametrize("name", NETWORKS)
def test_data_layers_name_what_a_built_data_set_holds(name):
    for phase, split in (("TRAIN", "train"), ("TEST", "test")):
        layer = filter_net(load(name, "train_test"), phase).layer[0]
        assert layer.data_param.source == f"{NETWORKS[name][0]}_{split}_lmdb"
        assert (layer.data_param.backend, layer.data_param.batch_size) == (
            layer.data_param.LMDB,
            50,
        )
        assert layer.transform_param.mean_file == "mean.binaryproto"
        assert layer.transform_param.crop_size == 227
        assert layer.transform_param.mirror == (phase == "TRAIN")


@pytest.mark.parametrize("name", NETWORKS)
def test_solvers_are_the_papers(name):
    solver = read_solver(data_dir("prototxt") / f"{name}_solver.prototxt")
    assert (data_dir("prototxt") / solver.net).is_file()
    assert (solver.type, solver.lr_policy, solver.snapshot_prefix) == ("SGD", "step", name)
    assert [solver.base_lr, solver.momentum, solver.weight_decay, solver.gamma] == pytest.approx(
        [0.001, 0.9, 0.0005, 0.1]
    )
    assert (solver.stepsize, solver.max_iter) == (10000, 50000)
    assert (solver.test_interval, solver.snapshot, solver.random_seed) == (1000, 1000, 230)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("form", ["files", "bytes"])
def test_opencv_runs_the_written_network(name, form, tmp_path):
    import cv2

    classes = NETWORKS[name][1]
    weights = random_weights(classes)
    model = tmp_path / f"{name}.caffemodel"
    write_weights(model, filter_net(load(name, "train_test"), "TRAIN"), weights)
    prototxt = data_dir("prototxt") / f"{name}_deploy.prototxt"
    if form == "files":
        net = cv2.dnn.readNetFromCaffe(str(prototxt), str(model))
    else:
        net = cv2.dnn.readNetFromCaffe(*(np.fromfile(one, np.uint8) for one in (prototxt, model)))
    for learned in LEARNED:
        # OpenCV folds nothing away before the first forward pass, so these are the file's blobs.
        np.testing.assert_array_equal(net.getParam(learned).ravel(), weights[learned][0].ravel())
    picture = np.random.default_rng(5).uniform(-100, 100, (2, 3, 227, 227)).astype(np.float32)
    net.setInput(picture, "data")
    probabilities = net.forward("prob")
    assert probabilities.shape == (2, classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    found = read_weights(model)
    assert [blob.shape for blob in found["conv1"]] == [(96, 3, 7, 7), (96,)]

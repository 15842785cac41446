"""The deploy form that training derives."""

import pytest

from edgeage.caffe import format_message, parse_net, read_net
from edgeage.errors import ModelError
from edgeage.paths import data_dir
from edgeage.training.deploy import deploy_net


@pytest.mark.parametrize("name", ["agenet", "gendernet"])
def test_the_shipped_deploy_prototxt_is_the_derived_one(name):
    folder = data_dir("prototxt")
    train = read_net(folder / f"{name}_train_test.prototxt")
    derived = deploy_net(train, (3, 227, 227))
    shipped = read_net(folder / f"{name}_deploy.prototxt")
    assert format_message(derived) == format_message(shipped)


def test_a_network_without_a_softmax_loss_is_refused(tiny_net):
    with pytest.raises(ModelError, match="found 0"):
        deploy_net(parse_net(tiny_net.replace("SoftmaxWithLoss", "EuclideanLoss")), (3, 15, 15))

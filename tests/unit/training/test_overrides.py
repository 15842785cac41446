"""``key=value`` overrides."""

import pytest

from edgeage.caffe import parse_solver
from edgeage.errors import UsageError
from edgeage.training.overrides import Overrides


def _apply(*words, tiny_net):
    from edgeage.caffe import parse_net

    solver, net = parse_solver('base_lr: 1 lr_policy: "fixed" stepvalue: 9'), parse_net(tiny_net)
    Overrides.parse(words).apply(solver, net)
    return solver, net


def test_solver_fields_of_every_kind(tiny_net):
    solver, _ = _apply(
        "base_lr=0.5", "lr_policy=poly", "iter_size=3", "test_initialization=false", "power=2",
        "stepvalue=1", "stepvalue=2", tiny_net=tiny_net,
    )  # fmt: skip
    assert (solver.base_lr, solver.lr_policy, solver.iter_size) == (0.5, "poly", 3)
    assert solver.test_initialization is False
    assert list(solver.stepvalue) == [1, 2]


def test_only_the_training_data_layer_changes(tiny_net):
    _, net = _apply("batch_size=3", "mirror=false", tiny_net=tiny_net)
    assert [layer.data_param.batch_size for layer in net.layer[:2]] == [3, 7]
    assert net.layer[0].transform_param.mirror is False


def test_a_filler_replaces_a_layers_weights_and_bias(tiny_net):
    _, net = _apply("filler.conv1=msra", tiny_net=tiny_net)
    settings = net.layer[2].convolution_param
    assert (settings.weight_filler.type, settings.weight_filler.std) == ("msra", 1.0)
    assert settings.bias_filler.value == 0


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        pytest.param("base_lr", "expected key=value", id="no-equals"),
        pytest.param("base_lr=", "expected key=value", id="no-value"),
        pytest.param("bse_lr=1", "unknown setting «bse_lr»; did you mean «base_lr»", id="typo"),
        pytest.param("base_lr=fast", "base_lr=fast: the value does not fit", id="value"),
        pytest.param("batch_size=many", "does not fit", id="net-value"),
        pytest.param("filler.cnv1=msra", "did you mean «conv1»", id="layer"),
        pytest.param("augment.turn=3", "unknown augmentation «turn»", id="augmentation"),
    ],
)
def test_bad_words_are_refused_with_the_reason(word, reason, tiny_net):
    with pytest.raises(UsageError, match=reason):
        _apply(word, tiny_net=tiny_net)

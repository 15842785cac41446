"""Caffe's rules of which layer is in which phase."""

import pytest

from edgeage.caffe import filter_net, parse_net
from edgeage.errors import ModelError, UsageError

# rules, phase, level, stages, is the layer in?
RULES = {
    "no rule": ("", "TRAIN", 0, (), True),
    "include its phase": ("include { phase: TRAIN }", "TRAIN", 0, (), True),
    "include the other phase": ("include { phase: TRAIN }", "TEST", 0, (), False),
    "exclude its phase": ("exclude { phase: TRAIN }", "TRAIN", 0, (), False),
    "exclude the other phase": ("exclude { phase: TRAIN }", "TEST", 0, (), True),
    "any include is enough": (
        "include { phase: TRAIN } include { phase: TEST }",
        "TEST",
        0,
        (),
        True,
    ),
    "an empty include holds": ("include {}", "TEST", 0, (), True),
    "an empty exclude holds": ("exclude {}", "TEST", 0, (), False),
    "level below": ("include { min_level: 2 }", "TEST", 1, (), False),
    "level at the minimum": ("include { min_level: 2 }", "TEST", 2, (), True),
    "level at the maximum": ("include { max_level: 2 }", "TEST", 2, (), True),
    "level above": ("include { max_level: 2 }", "TEST", 3, (), False),
    "stage there": ('include { stage: "a" }', "TEST", 0, ("a", "b"), True),
    "stage missing": ('include { stage: "a" }', "TEST", 0, ("b",), False),
    "all stages needed": ('include { stage: "a" stage: "b" }', "TEST", 0, ("a",), False),
    "not_stage there": ('include { not_stage: "a" }', "TEST", 0, ("a",), False),
    "not_stage missing": ('include { not_stage: "a" }', "TEST", 0, ("b",), True),
    "phase and stage, one fails": (
        'include { phase: TEST stage: "a" }',
        "TRAIN",
        0,
        ("a",),
        False,
    ),
}


@pytest.mark.parametrize(
    ("rules", "phase", "level", "stages", "is_in"), RULES.values(), ids=list(RULES)
)
def test_a_rule_decides(rules, phase, level, stages, is_in):
    net = parse_net(f'layer {{ name: "always" }} layer {{ name: "x" {rules} }}')
    kept = filter_net(net, phase, level=level, stages=stages)
    assert [layer.name for layer in kept.layer] == (["always", "x"] if is_in else ["always"])


def test_the_networks_own_state_is_the_default():
    net = parse_net(
        'state { level: 3 stage: "a" } layer { name: "x" include { min_level: 3 stage: "a" } }'
    )
    assert len(filter_net(net, "TEST").layer) == 1
    assert len(filter_net(net, "TEST", level=0).layer) == 0
    assert len(filter_net(net, "TEST", stages=()).layer) == 0


def test_the_network_given_is_left_as_it_is():
    net = parse_net('name: "n" layer { include { phase: TRAIN } }')
    before = net.SerializeToString()
    kept = filter_net(net, "TEST")
    assert net.SerializeToString() == before
    assert (kept.name, len(kept.layer), kept.state.phase) == ("n", 0, 1)


def test_both_kinds_of_rules_are_refused():
    net = parse_net('layer { name: "x" include { phase: TRAIN } exclude { phase: TEST } }')
    with pytest.raises(ModelError, match="«x» has both include and exclude"):
        filter_net(net, "TRAIN")


def test_an_unknown_phase_is_refused():
    with pytest.raises(UsageError, match="unknown phase «train»; .*did you mean «TRAIN»"):
        filter_net(parse_net(""), "train")

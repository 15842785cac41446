"""Caffe's data transformation, augmentation and the batches' order."""

import cv2
import numpy as np
import pytest

from edgeage.caffe import parse_net, write_mean
from edgeage.errors import DatasetError, MeanError, UnsupportedLayerError, UsageError
from edgeage.training.augment import Augmentation
from edgeage.training.data import BatchSource
from edgeage.training.prefetch import prefetch
from edgeage.training.transform import Transform


class Pictures:
    """A stand-in for a DatumReader over an array."""

    def __init__(self, pixels, labels):
        self.pixels, self.labels, self.shape = pixels, labels, pixels.shape[1:]

    def __len__(self):
        return len(self.pixels)

    def get(self, index):
        return self.pixels[index], int(self.labels[index])


def _layer(transform: str = "", batch: int = 4, kind: str = "Data"):
    return parse_net(
        f'layer {{ name: "data" type: "{kind}" top: "data" top: "label" '
        f"transform_param {{ {transform} }} data_param {{ batch_size: {batch} }} }}"
    ).layer[0]


def _source(tmp_path, transform="", training=True, count=10, augment=None, seed=1, batch=4):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 3, 9, 11), dtype=np.uint8)
    reader = Pictures(pixels, np.arange(count))
    layer = _layer(transform, batch)
    return pixels, BatchSource(
        layer, reader, tmp_path, training=training, seed=seed, augment=augment
    )


def _mean(tmp_path):
    mean = np.random.default_rng(1).uniform(80, 120, (3, 9, 11)).astype(np.float32)
    write_mean(tmp_path / "mean.binaryproto", mean)
    return mean


def test_plain_batches_are_the_stored_bytes_in_order_round_and_round(tmp_path):
    pixels, source = _source(tmp_path)
    found, labels = source.batch(2)
    assert labels.tolist() == [8, 9, 0, 1]
    np.testing.assert_array_equal(found.numpy(), pixels[[8, 9, 0, 1]])


def test_the_whole_set_comes_once_with_a_smaller_last_batch(tmp_path):
    _, source = _source(tmp_path, training=False)
    batches = [labels.tolist() for _, labels in source.whole_set()]
    assert batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


@pytest.mark.parametrize("training", [True, False], ids=["train", "test"])
def test_mean_crop_mirror_and_scale_as_caffe_does_them(tmp_path, training):
    mean = _mean(tmp_path)
    text = 'mean_file: "mean.binaryproto" crop_size: 7 mirror: true scale: 0.5'
    pixels, source = _source(tmp_path, text, training)
    found = np.concatenate([source.batch(number)[0].numpy() for number in range(5)])
    places = set()
    for row, picture in enumerate(found):
        whole = (pixels[row % 10].astype(np.float32) - mean) * 0.5
        places.add(_place(whole, picture))
    if training:
        assert {mirrored for *_, mirrored in places} == {True, False}
        assert len({(top, left) for top, left, _ in places}) > 4
    else:
        assert {(top, left) for top, left, _ in places} == {(1, 2)}


def _place(whole, picture):
    """Find where a 7×7 picture was cut out of the whole one, and whether it is mirrored."""
    for top in range(whole.shape[1] - 6):
        for left in range(whole.shape[2] - 6):
            window = whole[:, top : top + 7, left : left + 7]
            for mirrored in (False, True):
                view = window[:, :, ::-1] if mirrored else window
                if np.array_equal(view, picture):
                    return top, left, mirrored
    raise AssertionError("the batch holds something that is no window of the picture")


@pytest.mark.parametrize("values", [[100.0], [90.0, 100.0, 110.0]], ids=["one", "per-channel"])
def test_mean_values_are_bgr(tmp_path, values):
    text = " ".join(f"mean_value: {value}" for value in values)
    pixels, source = _source(tmp_path, text)
    expected = pixels[:4] - np.float32(values).reshape(1, -1, 1, 1)
    np.testing.assert_array_equal(source.batch(0)[0].numpy(), expected)


def test_a_batch_depends_on_its_number_and_seed_alone(tmp_path):
    options = {"transform": "crop_size: 7 mirror: true", "augment": Augmentation(shift=0.2)}
    _, first = _source(tmp_path, **options)
    _, second = _source(tmp_path, **options)
    first.batch(0)
    np.testing.assert_array_equal(first.batch(3)[0], second.batch(3)[0])
    _, other = _source(tmp_path, seed=2, **options)
    assert not np.array_equal(first.batch(3)[0], other.batch(3)[0])


def test_the_test_phase_is_never_augmented(tmp_path):
    pixels, source = _source(tmp_path, training=False, augment=Augmentation(shift=0.5, light=0.5))
    np.testing.assert_array_equal(source.batch(0)[0].numpy(), pixels[:4])


def _changed(picture, count=60, **options):
    """The picture as so many draws change it; it is itself left alone."""
    before = picture.copy()
    augment = Augmentation.from_options({name: str(value) for name, value in options.items()})
    found = [augment.apply(picture, np.random.default_rng(seed)) for seed in range(count)]
    np.testing.assert_array_equal(picture, before)
    assert all(one.shape == picture.shape and one.dtype == np.uint8 for one in found)
    return found


def _dots(picture):
    """Where the red and the green dot of ``_marked`` are, (x, y) each."""
    weights = picture[:, :, 1:].astype(float)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    total = weights.sum(axis=(0, 1))
    return np.stack([(weights * grid[..., None]).sum(axis=(0, 1)) / total
                     for grid in (columns, rows)], axis=1)  # fmt: skip


def _marked():
    """A black picture of 81×81 with a red and a green dot, 30 pixels apart about the middle."""
    picture = np.zeros((81, 81, 3), np.uint8)
    picture[39:42, 24:27, 1] = picture[39:42, 54:57, 2] = 250
    return picture


def test_a_shift_is_at_most_that_part_of_the_side():
    moved = [_dots(one).mean(axis=0) - 40 for one in _changed(_marked(), shift=0.1)]
    reach = np.abs(moved).max(axis=0)
    assert (reach <= 8.1 + 0.2).all()
    assert (reach > 6).all()


def test_a_zoom_is_at_most_that_factor_either_way():
    spans = [
        np.hypot(*np.diff(_dots(one), axis=0)[0]) / 30 for one in _changed(_marked(), zoom=0.3)
    ]
    assert 1 / 1.3 - 0.01 <= min(spans) < 0.85
    assert 1.18 < max(spans) <= 1.3 + 0.01


def test_a_turn_is_at_most_that_many_degrees_either_way():
    across, down = np.array(
        [np.diff(_dots(one), axis=0)[0] for one in _changed(_marked(), rotate=10)]
    ).T
    angles = np.degrees(np.arctan2(down, across))
    assert -10.3 <= angles.min() < -7
    assert 7 < angles.max() <= 10.3


def test_light_is_a_gain_and_a_level_within_that_part():
    levels = np.tile(np.array([60, 160], np.uint8)[None, :, None], (8, 1, 3))
    low, high = np.array([one[0, :, 0] for one in _changed(levels, light=0.2)], float).T
    gains = (high - low) / 100
    assert 0.79 <= gains.min() < 0.9
    assert 1.1 < gains.max() <= 1.21
    shifts = low - 60 * gains
    assert np.abs(shifts).max() <= 128 * 0.2 + 2
    assert np.abs(shifts).max() > 15


def test_what_is_erased_is_at_most_that_large():
    picture = np.random.default_rng(0).integers(60, 160, (50, 50, 3), dtype=np.uint8)
    sides = []
    for one in _changed(picture, erase=0.2):
        rows, columns = np.nonzero((one != picture).any(axis=2))
        sides.append([np.ptp(part) + 1 if len(part) else 0 for part in (rows, columns)])
    assert np.max(sides) <= 10
    assert np.max(sides) >= 9
    assert 0.3 < np.mean(np.max(sides, axis=1) > 0) < 0.7


def test_colours_change_by_at_most_that_part_or_become_grey():
    picture = np.tile(np.array([50, 100, 200], np.uint8), (4, 4, 1))
    gains = np.array([one[0, 0] / [50, 100, 200] for one in _changed(picture, 99, colour=0.1)])
    grey = np.array([np.ptp(gain * [50, 100, 200]) == 0 for gain in gains])
    assert 0.03 < grey.mean() < 0.2
    assert np.abs(gains[~grey] - 1).max() <= 0.1 + 0.02
    assert (np.abs(gains[~grey] - 1).max(axis=0) > 0.07).all()


def test_a_blur_spreads_a_line_by_at_most_that_many_pixels():
    picture = np.zeros((41, 41, 3), np.uint8)
    picture[:, 20] = 250
    spreads = []
    for one in _changed(picture, blur=2):
        row = one[20, :, 0].astype(float)
        spreads.append((row @ (np.arange(41) - 20.0) ** 2 / row.sum()) ** 0.5)
    assert 1.5 < max(spreads) <= 2.05
    assert 0.2 < np.mean(np.array(spreads) > 0) < 0.5


def test_the_loss_of_jpeg_is_at_most_that_quality():
    picture = np.random.default_rng(0).integers(60, 160, (40, 40, 3), dtype=np.uint8)
    worst = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 25])[1], 1)

    def loss(one):
        return np.abs(one.astype(float) - picture).mean()

    losses = [loss(one) for one in _changed(picture, jpeg=70)]
    assert 0.8 * loss(worst) < max(losses) <= loss(worst) * 1.01
    assert 0.2 < np.mean(np.array(losses) > 0) < 0.5


def test_no_augmentation_is_false():
    assert not Augmentation()
    assert Augmentation(shift=0.1)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({"shfit": "0.1"}, "did you mean «shift»", id="typo"),
        pytest.param({"shift": "much"}, "expected a number", id="no-number"),
        pytest.param({"shift": "-1"}, "from 0 to 1, got «-1»", id="negative"),
        pytest.param({"erase": "2"}, "erase: expected a number from 0 to 1", id="share"),
        pytest.param({"jpeg": "96"}, "from 0 to 95", id="jpeg"),
        pytest.param({"shift": "nan"}, "expected a number", id="nan"),
    ],
)
def test_bad_augmentation_is_refused(options, reason):
    with pytest.raises(UsageError, match=reason):
        Augmentation.from_options(options)


def test_a_mean_of_another_size_is_refused(tmp_path):
    write_mean(tmp_path / "mean.binaryproto", np.full((3, 5, 5), 90, np.float32))
    with pytest.raises(MeanError, match=r"\(3, 5, 5\)"):
        _source(tmp_path, 'mean_file: "mean.binaryproto"')


def test_two_kinds_of_mean_are_refused(tmp_path):
    with pytest.raises(MeanError, match="both"):
        _source(tmp_path, 'mean_file: "mean.binaryproto" mean_value: 100')


def test_two_mean_values_fit_no_picture(tmp_path):
    with pytest.raises(MeanError, match="expected 1 or 3 mean_value, found 2"):
        _source(tmp_path, "mean_value: 1 mean_value: 2")


def test_a_crop_larger_than_the_picture_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="crop_size 10 is larger"):
        _source(tmp_path, "crop_size: 10")


def test_only_a_data_layer_brings_pictures(tmp_path):
    reader = Pictures(np.zeros((1, 3, 9, 9), np.uint8), np.zeros(1))
    with pytest.raises(UnsupportedLayerError, match="expected a Data layer"):
        BatchSource(_layer(kind="Input"), reader, tmp_path, training=True, seed=1)


def test_a_shape_that_is_grey_works_too():
    transform = Transform(_layer("mean_value: 10").transform_param, (1, 4, 5), False, None)
    out = np.empty((4, 5, 1), np.float32)
    transform(np.full((4, 5, 1), 30, np.uint8), np.random.default_rng(0), out)
    assert (out == 20).all()


def test_prefetch_keeps_the_order():
    assert list(prefetch(iter(range(20)))) == list(range(20))


def test_prefetch_raises_what_the_source_raised():
    def broken():
        yield 1
        raise DatasetError("record 7 is damaged")

    batches = prefetch(broken())
    assert next(batches) == 1
    with pytest.raises(DatasetError, match="record 7"):
        next(batches)


def test_closing_prefetch_ends_its_thread():
    import threading

    before = threading.active_count()
    batches = prefetch(iter(range(1000)))
    next(batches)
    assert threading.active_count() == before + 1
    batches.close()
    assert threading.active_count() == before

"""Epochs: the same batches whatever the workers, from any batch on, and errors that are told."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from dlcreg.contracts import Transform
from dlcreg.data.batching import collate
from dlcreg.data.dataset import PoseDataset
from dlcreg.data.loader import EpochLoader
from dlcreg.data.transforms.geometric import Affine, Crop, Flip
from dlcreg.errors import DataError

AUGMENT = [
    Affine(rotation=60, scale=(0.7, 1.3), translate=0.1),
    Crop((64, 64), position="keypoint"),
]


@pytest.fixture
def dataset(demo):
    import albumentations as A

    return PoseDataset(demo, [*AUGMENT, A.Compose([A.GaussNoise(p=0.7), A.HorizontalFlip()])])


def same(first, second) -> bool:
    return (
        torch.equal(first.images, second.images)
        and torch.equal(first.instances.keypoints, second.instances.keypoints)
        and torch.equal(first.instances.valid, second.instances.valid)
        and torch.equal(first.matrix, second.matrix)
        and first.meta == second.meta
    )


def epochs_of(loader, epochs, start=0):
    return [list(loader.epoch(epoch, start)) for epoch in epochs]


def test_batches_do_not_depend_on_workers(dataset):
    alone = EpochLoader(dataset, 3, seed=5, shuffle=True)
    helped = EpochLoader(dataset, 3, num_workers=2, seed=5, shuffle=True)
    for ours, theirs in zip(epochs_of(alone, (0, 1, 5)), epochs_of(helped, (0, 1, 5)), strict=True):
        assert len(ours) == len(theirs) == len(alone) == 6
        assert all(same(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_goes_on_at_any_batch(dataset, workers):
    loader = EpochLoader(dataset, 3, num_workers=workers, seed=5, shuffle=True)
    whole = next(iter(epochs_of(loader, [2])))
    rest = next(iter(epochs_of(loader, [2], start=4)))
    assert len(rest) == 2
    assert all(same(a, b) for a, b in zip(whole[4:], rest, strict=True))


def test_an_epoch_that_was_left_in_the_middle_spoils_nothing(dataset):
    loader = EpochLoader(dataset, 2, num_workers=2, seed=5, shuffle=True)
    expected = epochs_of(EpochLoader(dataset, 2, seed=5, shuffle=True), [1])[0]
    stream = loader.epoch(0)
    next(stream)
    stream.close()
    assert all(same(a, b) for a, b in zip(loader.epoch(1), expected, strict=True))


def test_each_epoch_has_its_own_order_and_every_sample_once(dataset):
    loader = EpochLoader(dataset, 3, shuffle=True)
    orders = [[m.index for b in loader.epoch(e) for m in b.meta] for e in range(3)]
    assert orders[0] != orders[1] != orders[2]
    assert all(sorted(order) == list(range(len(dataset))) for order in orders)


def test_another_seed_gives_another_order(dataset):
    orders = [
        [m.index for b in EpochLoader(dataset, 3, seed=s, shuffle=True).epoch(0) for m in b.meta]
        for s in (1, 2)
    ]
    assert orders[0] != orders[1]


def test_without_shuffling_the_order_is_the_data_sets_own(dataset):
    order = [m.index for b in EpochLoader(dataset, 3).epoch(7) for m in b.meta]
    assert order == list(range(len(dataset)))


@pytest.mark.parametrize("workers", [0, 2])
def test_nothing_is_drawn_from_global_generators(dataset, workers):
    state = torch.get_rng_state(), np.random.get_state()[1].tolist()
    list(EpochLoader(dataset, 4, num_workers=workers, shuffle=True).epoch(0))
    assert torch.equal(torch.get_rng_state(), state[0])
    assert np.random.get_state()[1].tolist() == state[1]


def test_the_last_batch_is_dropped_only_where_asked(dataset):
    assert len(dataset) == 16
    kept, dropped = (EpochLoader(dataset, 5, drop_last=drop) for drop in (False, True))
    assert [len(batch) for batch in kept.epoch(0)] == [5, 5, 5, 1]
    assert [len(batch) for batch in dropped.epoch(0)] == [5, 5, 5]
    assert len(EpochLoader(dataset, 50, drop_last=True)) == 1


def test_a_plain_loader_of_torch_draws_another_augmentation_for_each_epoch(dataset):
    loader = DataLoader(dataset, batch_size=4, collate_fn=collate)

    def epoch(number):
        dataset.set_epoch(number)
        return list(loader)

    first, second, again = epoch(0), epoch(1), epoch(0)
    assert len(first) == 4
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    assert not any(same(a, b) for a, b in zip(first, second, strict=True))


class Broken(Transform):
    def __init__(self, how: str) -> None:
        self.how = how

    def __call__(self, sample, rng):
        if sample.meta.index == 5:
            if self.how == "dies":
                time.sleep(0.2)
                os._exit(3)
            raise ZeroDivisionError("zero")
        return sample


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_a_sample_keeps_its_text_and_names_the_image(demo, workers):
    loader = EpochLoader(PoseDataset(demo, Broken("raises")), 2, num_workers=workers)
    name = PoseDataset(demo).images[5]
    with pytest.raises(DataError) as caught:
        list(loader.epoch(0))
    assert str(caught.value) == (f"{demo.path(name)}: a transform failed: ZeroDivisionError: zero")


def test_a_damaged_image_is_named_by_a_worker_too(maker):
    maker.labels()
    (maker.root / "labeled-data" / "vid" / "img02.png").write_bytes(b"\x89PNG\r\n\x1a\nxx")
    dataset = PoseDataset(maker.root, split={"train_fraction": 1})
    with pytest.raises(DataError, match=r"img02\.png"):
        list(EpochLoader(dataset, 2, num_workers=1).epoch(0))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_death_of_a_worker_is_told(demo):
    loader = EpochLoader(PoseDataset(demo, Broken("dies")), 2, num_workers=1)
    with pytest.raises(DataError, match="a process that prepares the data died"):
        list(loader.epoch(0))


def test_an_empty_data_set_is_refused_with_the_remedy(demo):
    with pytest.raises(DataError) as caught:
        EpochLoader(PoseDataset(demo, mode="val"), 2)
    assert str(caught.value) == "the val data set has no samples; give the split a val_fraction"


def test_a_batch_size_of_nothing_is_refused(demo):
    with pytest.raises(DataError, match="batch_size=0"):
        EpochLoader(PoseDataset(demo), 0)


# -- batches -----------------------------------------------------------------------------------


def test_animals_are_padded_and_told_from_padding(herd):
    dataset = PoseDataset(herd, split={"train_fraction": 1})
    samples = [dataset[i] for i in range(len(dataset))]
    samples[1].instances = type(samples[1].instances)(
        **{k: v[:1] for k, v in vars(samples[1].instances).items() if v is not None}
    )
    batch = collate(samples)
    assert batch.images.dtype == torch.uint8
    assert batch.images.shape == (8, 3, 128, 160)
    assert batch.instances.keypoints.shape == (8, 3, 6, 2)
    assert batch.instances.valid[1].tolist() == [True, False, False]
    assert batch.instances.ids[1].tolist()[1:] == [-1, -1]
    assert (batch.instances.keypoints[1, 1:] == 0).all()
    assert batch.instances.keypoints.isfinite().all()
    assert batch.instances.keypoints.dtype == batch.matrix.dtype == torch.float32
    assert len(batch.meta) == 8


def test_a_batch_without_an_animal_has_room_for_one(openfield):
    dataset = PoseDataset(openfield, [Crop((8, 8), position="center")])
    empty = next(dataset[i] for i in range(len(dataset)) if not len(dataset[i].instances))
    batch = collate([empty])
    assert batch.instances.valid.tolist() == [[False]]


def test_the_flip_of_a_batch_is_the_flip_of_its_samples(demo):
    plain = PoseDataset(demo)
    mirrored = PoseDataset(demo, [Flip(1.0, flip_pairs=plain.info.flip_pairs)])
    first, second = plain[0].instances, mirrored[0].instances
    shown = second.visibility[0] > 0
    expected = first.keypoints[0][[0, 2, 1, 3, 4, 5]] * [-1, 1] + [127, 0]
    np.testing.assert_allclose(second.keypoints[0][shown], expected[shown], atol=1e-4)

"""Conditions made of labels, and the crops around them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcreg.data import PoseDataset, collate
from dlcreg.data.transforms import Pipeline
from dlcreg.data.transforms.conditions import ConditionBox, GenerativeCondition
from dlcreg.data.transforms.geometric import CropInstance, Flip
from dlcreg.data.transforms.pose_errors import (
    GOOD,
    INVERSION,
    JITTER,
    KINDS,
    MISS,
    SWAP,
    ErrorRates,
    draw_errors,
    similarity_radii,
)
from dlcreg.structures import Instances, Meta, Sample

SIZE = (200, 300)


def animals(points, visibility=None) -> Instances:
    points = np.asarray(points, np.float32)
    if visibility is None:
        visibility = np.full(points.shape[:2], 2)
    visibility = np.asarray(visibility, np.uint8)
    points = np.where(visibility[..., None] > 0, points, 0).astype(np.float32)
    low, high = points.min(axis=1) - 10, points.max(axis=1) + 10
    return Instances(
        keypoints=points,
        visibility=visibility,
        boxes=np.concatenate([low, high - low], axis=1),
        areas=np.prod(high - low, axis=1),
        valid=np.ones(len(points), bool),
        ids=np.arange(len(points)),
    )


def sample_of(count=6, others=1, visibility=None, seed=0) -> Sample:
    """An animal of `count` keypoints in a square of 60 pixels, and others a little beside it."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(70, 130, (1 + others, count, 2)) + np.arange(1 + others)[:, None, None] * 9
    own = animals(points[:1], visibility)
    rest = animals(points[1:]) if others else None
    image = rng.integers(0, 255, (*SIZE, 3)).astype(np.uint8)
    return Sample(image, own, np.eye(2, 3), Meta(0, "made", SIZE), neighbours=rest)


def condition(transform: GenerativeCondition, sample: Sample, seed: int = 0) -> np.ndarray:
    return transform(sample, np.random.default_rng(seed)).condition


def only(kind: int, count: int) -> np.ndarray:
    return np.eye(len(KINDS))[np.full(count, kind)]


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    keypoints=st.integers(1, 50),
    others=st.integers(0, 4),
    area=st.floats(1, 1e5),
    kind=st.sampled_from([JITTER, MISS, INVERSION, SWAP, GOOD]),
)
def test_every_error_lies_in_the_ring_of_its_kind_and_away_from_other_sources(
    seed, keypoints, others, area, kind
):
    rng = np.random.default_rng(seed)
    sources = rng.uniform(0, 200, (keypoints, 2 + 2 * others, 2))
    there = rng.random(sources.shape[:2]) < 0.8
    radii = similarity_radii(area, rng.uniform(0.02, 0.15, keypoints))
    points, kinds = draw_errors(sources, there, only(kind, keypoints), radii, rng)
    assert set(kinds) <= {-1, kind}
    own = {JITTER: [0], GOOD: [0], INVERSION: [1]}
    own |= {SWAP: list(range(2, 2 + 2 * others)), MISS: list(range(2 + 2 * others))}
    low = {JITTER: radii["near"], MISS: radii["half"]}.get(kind, np.zeros(keypoints))
    high = {GOOD: radii["near"], MISS: radii["far"]}.get(kind, radii["half"])
    apart = np.linalg.norm(points[:, None] - sources, axis=-1)
    apart = np.where(there, apart, np.inf)
    for row in np.flatnonzero(kinds >= 0):
        about = [s for s in own[kind] if low[row] - 1e-6 <= apart[row, s] <= high[row] + 1e-6]
        rivals = [0, 1] if kind == SWAP else range(sources.shape[1])
        assert there[row, 0]
        assert any(
            all(
                apart[row, s] >= (radii["half"][row] if kind == MISS else apart[row, a]) - 1e-6
                for s in rivals
                if s != a
            )
            for a in about
        )


def test_the_radii_are_those_of_oks():
    radii = similarity_radii(400.0, np.array([0.1, 0.05]))
    for name, similarity in (("near", 0.85), ("half", 0.5), ("far", 0.1)):
        oks = np.exp(-(radii[name] ** 2) / (2 * 400.0 * np.square([0.2, 0.1])))
        np.testing.assert_allclose(oks, similarity)


def test_angles_and_radii_are_drawn_evenly():
    sources, there = np.zeros((4000, 2, 2)), np.tile([True, False], (4000, 1))
    radii = similarity_radii(100.0, np.full(4000, 0.1))
    rng = np.random.default_rng(0)
    points, _ = draw_errors(sources, there, only(JITTER, 4000), radii, rng)
    radius, near, half = np.linalg.norm(points, axis=1), radii["near"][0], radii["half"][0]
    quantiles = np.quantile((radius - near) / (half - near), [0.1, 0.5, 0.9])
    np.testing.assert_allclose(quantiles, [0.1, 0.5, 0.9], atol=0.03)
    assert np.abs(points.mean(axis=0)).max() < 0.05 * half


@pytest.mark.parametrize("labelled", [2, 4, 5, 20])
def test_kinds_happen_as_often_as_they_should(labelled):
    rates = ErrorRates("animals").of(labelled, 1)[0]
    assert rates[JITTER] == (0.15 if labelled > 4 else 0.20)
    assert rates[MISS] == {2: 0.20, 4: 0.13}.get(labelled, 0.05)
    count = 8000
    far = np.array([[0, 0], [300, 0], [600, 0], [900, 0]], float)
    sources = np.tile(far, (count, 1, 1))
    radii = similarity_radii(100.0, np.full(count, 0.1))
    everything = np.ones((count, 4), bool)
    kinds = draw_errors(
        sources, everything, np.tile(rates, (count, 1)), radii, np.random.default_rng(1)
    )[1]
    np.testing.assert_allclose(np.bincount(kinds, minlength=5) / count, rates, atol=0.015)
    alone = everything & [True, False, False, False]
    kinds = draw_errors(
        sources, alone, np.tile(rates, (count, 1)), radii, np.random.default_rng(2)
    )[1]
    left = rates * [1, 1, 0, 0, 1]
    np.testing.assert_allclose(
        np.bincount(kinds, minlength=5) / count, left / left.sum(), atol=0.015
    )


def test_points_are_distributed_as_by_many_draws_of_each_kind():
    """Kinds and distances are those of the plain algorithm, which draws all and then chooses."""
    sources = np.array([[0.0, 0.0], [9.0, 2.0], [-5.0, 6.0], [16.0, -4.0]])
    rates = np.array([0.25, 0.25, 0.1, 0.2, 0.2])
    radii = similarity_radii(900.0, np.array([0.1]))
    count, rng = 500, np.random.default_rng(3)
    plain = [
        plain_draw(sources, rates, {k: r[0] for k, r in radii.items()}, rng) for _ in range(count)
    ]
    ours = draw_errors(
        np.tile(sources, (4 * count, 1, 1)),
        np.ones((4 * count, 4), bool),
        np.tile(rates, (4 * count, 1)),
        {k: np.repeat(r, 4 * count) for k, r in radii.items()},
        rng,
    )
    of_plain, of_ours = np.array([kind for _, kind in plain]), ours[1]
    for kind in range(5):
        assert (of_plain == kind).mean() == pytest.approx((of_ours == kind).mean(), abs=0.06)
        one = np.array([p for p, k in plain if k == kind])
        two = ours[0][of_ours == kind]
        np.testing.assert_allclose(one.mean(axis=0), two.mean(axis=0), atol=2.5)
        np.testing.assert_allclose(one.std(axis=0), two.std(axis=0), atol=2.5)


def plain_draw(sources, rates, radii, rng, draws=120):
    near, half, far = radii["near"], radii["half"], radii["far"]

    def accepted(about, low, high, number, rivals, least=None):
        radius, angle = rng.uniform(low, high, number), rng.uniform(0, 2 * np.pi, number)
        points = sources[about] + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
        apart = np.linalg.norm(points[:, None] - sources[rivals], axis=-1)
        return points[(apart > (radius[:, None] if least is None else least)).all(axis=1)]

    everyone = range(len(sources))
    rest = {about: [s for s in everyone if s != about] for about in everyone}
    misses = [accepted(s, half, far, 4 * draws, rest[s], half) for s in everyone]
    misses[1:] = [rng.permutation(m)[: len(m) // 4] for m in misses[1:]]
    lists = [
        accepted(0, near, half, draws, rest[0]),
        np.concatenate(misses),
        accepted(1, 0, half, draws, rest[1]),
        np.concatenate([accepted(s, 0, half, draws, [0, 1]) for s in (2, 3)]),
        accepted(0, 0, near, draws // 4, rest[0]),
    ]
    rates = rates * [len(points) > 0 for points in lists]
    kind = rng.choice(5, p=rates / rates.sum())
    return lists[kind][rng.integers(len(lists[kind]))], kind


def test_a_kind_without_a_point_gives_place_to_the_others():
    sources = np.zeros((300, 3, 2))  # another animal's keypoint upon the own one
    sources[:, 1] = 500
    there = np.tile([True, True, True], (300, 1))
    rates = np.tile(ErrorRates(dict(jitter=0.5, inversion=0.2, swap=0.1)).of(5, 1), (300, 1))
    radii = similarity_radii(100.0, np.full(300, 0.1))
    kinds = draw_errors(sources, there, rates, radii, np.random.default_rng(0))[1]
    assert set(kinds) == {INVERSION}
    nothing = draw_errors(
        sources, there & [True, False, True], rates, radii, np.random.default_rng(0)
    )
    assert set(nothing[1]) == {-1}
    assert not nothing[0].any()


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(1, 50),
    others=st.integers(0, 3),
    paired=st.booleans(),
    data=st.data(),
)
def test_any_animal_gets_a_condition(seed, count, others, paired, data):
    visibility = data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    sample = sample_of(count, others, [visibility], seed)
    pairs = ((0, count - 1),) if paired and count > 1 else ()
    transform = GenerativeCondition(flip_pairs=pairs, num_keypoints=count)
    found = condition(transform, sample, seed)
    if found is None:
        assert not others
        assert not any(visibility)
        return
    assert found.shape == (count, 3)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    present = found[:, 2] > 0
    assert not present[np.array(visibility) == 0].any()
    assert not found[~present].any()
    np.testing.assert_array_equal(found, condition(transform, sample, seed))


def test_a_single_keypoint_is_moved_too():
    sample = sample_of(1, 0)
    found = np.array([condition(GenerativeCondition(), sample, seed)[0] for seed in range(50)])
    apart = np.linalg.norm(found[:, :2] - sample.instances.keypoints[0, 0], axis=1)
    assert np.median(apart) > 0.5
    assert (found[:, 2] == 1).all()


def test_an_animal_that_lies_level_has_errors_but_where_asked_not_to():
    points = np.stack([np.arange(20.0) * 5 + 50, np.full(20, 60.0)], axis=-1)[None]
    sample = replace(sample_of(20, 0), instances=animals(points))
    for min_aspect, moved in ((0.25, True), (0.0, False)):
        found = condition(GenerativeCondition(min_aspect=min_aspect), sample)
        assert (np.abs(found[:, :2] - points[0]).max() > 1) == moved


def test_swaps_go_to_animals_whose_box_overlaps_and_no_farther():
    rates = dict(swap=1.0)
    near = sample_of(6, 1)
    found = condition(GenerativeCondition(rates=rates), near)
    apart = np.linalg.norm(found[:, :2] - near.neighbours.keypoints[0], axis=1)
    present = found[:, 2] > 0
    assert present.any()
    assert apart[present].max() < 20
    away = replace(near, neighbours=animals(near.neighbours.keypoints + 150))
    assert not condition(GenerativeCondition(rates=rates), away).any()


def test_inversions_go_to_the_twin():
    sample = sample_of(6, 0)
    transform = GenerativeCondition(rates=dict(inversion=1.0), flip_pairs=((0, 3),))
    found = condition(transform, sample)
    assert (found[:, 2] > 0).tolist() == [True, False, False, True, False, False]
    twins = sample.instances.keypoints[0, [3, 0]]
    assert np.linalg.norm(found[[0, 3], :2] - twins, axis=1).max() < 20


def test_a_given_condition_is_kept_but_for_a_share():
    given_one = np.array([[5, 6, 0.5]] * 6, np.float32)
    sample = replace(sample_of(), condition=given_one)
    assert condition(GenerativeCondition(p=0), sample) is given_one
    kept = [
        condition(GenerativeCondition(p=0.3), sample, seed) is given_one for seed in range(1000)
    ]
    assert np.mean(kept) == pytest.approx(0.7, abs=0.05)
    assert condition(GenerativeCondition(p=0), sample_of()).any()


def test_what_has_no_label_starts_from_an_estimate_or_is_absent():
    visibility = [[2, 2, 2, 2, 0, 0]]
    known = np.array([[30, 30, 0.9]] * 5 + [[0, 0, 0]], np.float32)
    sample = replace(sample_of(6, 0, visibility), condition=known)
    absent = condition(GenerativeCondition(), sample)
    assert (absent[:, 2] > 0).tolist() == [True] * 4 + [False] * 2
    started = condition(GenerativeCondition(unlabelled="estimate"), sample)
    assert (started[:, 2] > 0).tolist() == [True] * 5 + [False]
    assert np.linalg.norm(started[4, :2] - 30) < 40


def test_keypoints_are_left_out_at_random():
    sample = sample_of(50, 0)
    share = [
        (condition(GenerativeCondition(absent=0.2), sample, s)[:, 2] > 0).mean() for s in range(40)
    ]
    assert np.mean(share) == pytest.approx(0.8, abs=0.04)


def test_an_image_without_a_label_gets_an_empty_condition_and_keeps_a_given_one():
    nobody = sample_of(4, 1, [[0, 0, 0, 0]])
    assert not condition(GenerativeCondition(), nobody).any()
    proposed = replace(nobody, neighbours=None)
    assert condition(GenerativeCondition(), proposed) is None
    given_one = np.ones((4, 3), np.float32)
    assert condition(GenerativeCondition(), replace(nobody, condition=given_one)) is given_one


def test_rates_of_humans_go_by_the_names_of_body_parts():
    names = ["nose", "left_eye", "Right_Shoulder", "l_hip", "left_ankle", "neck"]
    many, few = (ErrorRates("humans", names).of(labelled, 6) for labelled in (17, 4))
    assert many[:, JITTER].tolist() == [0.10, 0.15, 0.15, 0.20, 0.10, 0.10]
    np.testing.assert_allclose(few[:, JITTER], many[:, JITTER] + 0.05)
    assert few[:, MISS].tolist() == [0.15, 0.15, 0.20, 0.25, 0.20, 0.15]
    assert many[:, SWAP].tolist() == [0.01, 0.01, 0.06, 0.03, 0.03, 0.01]
    np.testing.assert_allclose(many.sum(axis=1), 1)
    deeplabcut = ErrorRates("deeplabcut").of(1, 2)
    np.testing.assert_allclose(deeplabcut, [[0.16, 0.10, 0.03, 0.08, 0.63]] * 2)


def test_the_crop_follows_the_condition_and_tells_nothing_else():
    first, second = sample_of(6, 0), sample_of(6, 0, seed=4)
    pose = np.array([[40, 50, 1], [90, 60, 1], [70, 95, 1], *[[0, 0, 0]] * 3], np.float32)
    steps = Pipeline([ConditionBox(margin=25), CropInstance((64, 64), padding=1.0)])
    crops = [steps(replace(s, condition=pose), np.random.default_rng(0)) for s in (first, second)]
    np.testing.assert_array_equal(crops[0].matrix, crops[1].matrix)
    np.testing.assert_array_equal(crops[0].condition, crops[1].condition)
    box = ConditionBox(margin=25)(replace(first, condition=pose), None).instances.boxes[0]
    assert box.tolist() == [15, 25, 100, 95]
    assert crops[0].condition[3:].tolist() == [[0, 0, 0]] * 3


@pytest.mark.parametrize("empty", [None, np.zeros((6, 3), np.float32)])
def test_the_box_stays_where_the_condition_has_no_keypoint(empty):
    sample = replace(sample_of(), condition=empty)
    after = ConditionBox()(sample, None)
    np.testing.assert_array_equal(after.instances.boxes, sample.instances.boxes)


def test_a_box_has_a_least_side_and_ends_at_the_border():
    point = np.array([[3, 4, 1], *[[0, 0, 0]] * 5], np.float32)
    sample = replace(sample_of(), condition=point)
    box = ConditionBox(margin=0, min_side=20)(sample, None).instances.boxes[0]
    assert box.tolist() == [0, 0, 13, 14]
    outside = replace(sample, condition=point - np.array([90, 0, 0], np.float32))
    after = ConditionBox(margin=5)(outside, None)
    np.testing.assert_array_equal(after.instances.boxes, sample.instances.boxes)


def test_mirror_images_swap_twins_of_condition_and_neighbours():
    sample = replace(sample_of(3, 1), condition=np.array([[9, 8, 1], [7, 6, 1], [0, 0, 0]], "f"))
    after = Flip(p=1, flip_pairs=((0, 1),))(sample, np.random.default_rng(0))
    width = SIZE[1] - 1
    assert after.condition.tolist() == [[width - 7, 6, 1], [width - 9, 8, 1], [0, 0, 0]]
    mirrored = sample.neighbours.keypoints[0, [1, 0, 2]] * [-1, 1] + [width, 0]
    np.testing.assert_allclose(after.neighbours.keypoints[0], mirrored, atol=1e-4)


def test_conditions_between_geometric_steps_leave_one_warp():
    sample = sample_of(6, 1)
    steps = [Flip(p=1, flip_pairs=()), CropInstance((48, 48))]
    both = [steps[0], GenerativeCondition(), ConditionBox(), steps[1]]
    without = Pipeline(steps)(sample, np.random.default_rng(0))
    kept = GenerativeCondition(p=0)
    placed = replace(sample, condition=np.zeros((6, 3), np.float32))
    within = Pipeline([steps[0], kept, ConditionBox(), steps[1]])(placed, np.random.default_rng(0))
    np.testing.assert_array_equal(without.image, within.image)
    assert Pipeline(both)(sample, np.random.default_rng(0)).condition.any()


def test_crops_know_the_other_animals_of_their_image(herd):
    whole = PoseDataset(herd, view="image")[0]
    assert whole.neighbours is None
    steps = [Flip(p=1, flip_pairs=()), CropInstance((64, 48))]
    crops = PoseDataset(herd, steps, view="instance")
    sample = crops[1]
    labels = crops.annotations(sample.meta.image_id)
    others = np.delete(labels.keypoints, sample.meta.instance, axis=0)
    back = sample.neighbours.keypoints @ sample.matrix[:, :2].T + sample.matrix[:, 2]
    seen = sample.neighbours.visibility > 0
    np.testing.assert_allclose(back[seen], others[seen], atol=0.01)
    assert not hasattr(collate([sample]), "neighbours")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(p=2), "p must lie between 0 and 1"),
        (dict(absent=-1), "p must lie between 0 and 1"),
        (dict(rates="rats"), "rates must be 'animals', 'humans', 'deeplabcut' or a mapping"),
        (dict(rates=dict(jiter=0.1)), "no error is called 'jiter'; there are jitter, miss"),
        (dict(rates=dict(jitter=0.8, miss=0.4)), "add up to 1 at most"),
        (dict(rates="humans"), "needs keypoint_names"),
        (dict(rates="humans", keypoint_names=["tail"]), "'tail' is no body part of a person"),
        (dict(unlabelled="guess"), "unlabelled must be 'absent' or 'estimate'"),
        (dict(sigmas=0.0), "give positive numbers"),
        (dict(sigmas=[0.1, 0.1], num_keypoints=3), "sigmas has 2 entries for 3 keypoints"),
        (dict(min_aspect=1.5), "min_aspect must lie between 0 and 1"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        GenerativeCondition(**options)


@pytest.mark.parametrize("name", ["margin", "min_side"])
def test_a_box_of_less_than_nothing_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} is a number of pixels from 0 on, not -1"):
        ConditionBox(**{name: -1.0})

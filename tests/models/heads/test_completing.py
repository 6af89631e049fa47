"""Heads that complete the poses of another one: who is who, and unique body parts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dlcreg.contracts import Backbone, Codec, CompletingCodec, Head
from dlcreg.models.backbones.resnet import ResNet
from dlcreg.models.codecs.gaussian import GaussianHeatmap
from dlcreg.models.codecs.identity import IdentityMaps, assigned
from dlcreg.models.codecs.plateau import PlateauHeatmap
from dlcreg.models.heads.heatmap import HeatmapHead
from dlcreg.models.heads.unique import UniqueKeypointsHead
from dlcreg.models.pose_model import PoseModel
from dlcreg.solvers.losses.bce import BCELoss
from dlcreg.solvers.losses.mse import MSELoss
from dlcreg.structures import Instances, Poses

SIZE = (64, 96)
WHO = ("anne", "bert")


class Pixels(Backbone):
    """Every fourth pixel of the image; learns nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.out_channels, self.out_strides = (3,), (4,)
        self.pool = nn.AvgPool2d(4)

    def forward(self, images):
        return (self.pool(images),)


class Means(CompletingCodec):
    """A third party's: scores animals anew by the mean of its map, whatever that is good for."""

    def output_channels(self, num_keypoints):
        return {"mean": 1}

    def encode(self, instances, size):
        target = torch.ones(len(instances.valid), 1, *self.map_size(size))
        return {"mean": (target, torch.ones_like(target))}

    def complete(self, poses, outputs, size):
        mean = outputs["mean"].mean(dim=(1, 2, 3))
        return replace(poses, instance_scores=mean[:, None].expand_as(poses.instance_scores))

    def flip(self, outputs, flip_index):
        return {"mean": outputs["mean"].flip(-1)}


def pose_head(keypoints: int = 3) -> HeatmapHead:
    return HeatmapHead(3, 4, keypoints, GaussianHeatmap(), {"heatmap": MSELoss()})


def identity_head(**options) -> HeatmapHead:
    codec = IdentityMaps(WHO, radius=6, **options)
    return HeatmapHead(3, 4, 3, codec, {"identity": BCELoss()})


def unique_head(pairs=((0, 1),)) -> UniqueKeypointsHead:
    inside = HeatmapHead(3, 4, 2, GaussianHeatmap(), {"heatmap": MSELoss()})
    return UniqueKeypointsHead(inside, 2, pairs)


def model(**heads: Head) -> PoseModel:
    torch.manual_seed(0)
    made = PoseModel(Pixels(), head=heads, flip_pairs=[(0, 1)], num_keypoints=3).eval()
    for parameter in made.parameters():
        nn.init.normal_(parameter)
    return made


def images(count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, *SIZE, generator=torch.Generator().manual_seed(1))


def animals(points, ids, visibility=None) -> Instances:
    points = torch.as_tensor(points, dtype=torch.float32)
    b, n, k, _ = points.shape
    seen = torch.full((b, n, k), 2) if visibility is None else torch.as_tensor(visibility)
    return Instances(
        points,
        seen.to(torch.uint8),
        torch.zeros(b, n, 4),
        torch.zeros(b, n),
        torch.ones(b, n, dtype=torch.bool),
        torch.as_tensor(ids),
    )


def found(points, scores=None) -> Poses:
    points = torch.as_tensor(points, dtype=torch.float32)
    scores = torch.ones(points.shape[:3]) if scores is None else torch.as_tensor(scores)
    return Poses(points, scores, scores.mean(-1), torch.ones(points.shape[:2], dtype=torch.bool))


# -- one model -----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [("pose", "identity", "unique"), ("unique", "identity", "pose")])
@pytest.mark.parametrize("flip_test", [False, True])
def test_one_pose_comes_of_all_heads_whatever_their_order(order, flip_test):
    heads = {"pose": pose_head(), "identity": identity_head(), "unique": unique_head()}
    together = model(**{name: heads[name] for name in order})
    poses = together(images(), mode="predict", flip_test=flip_test)
    outputs = together(images(), mode="tensor", flip_test=flip_test)
    assert poses.keypoints.shape == (2, 1, 3, 2)
    assert poses.identities.shape == (2, 1)
    assert poses.identity_scores.shape == (2, 1, 3, 2)
    alone = heads["pose"].codec.decode(outputs["pose"], SIZE)
    assert torch.equal(poses.keypoints, alone.keypoints)
    corners = heads["unique"].codec.decode(outputs["unique"], SIZE)
    assert torch.equal(poses.unique.keypoints, corners.keypoints)


def test_each_head_learns_from_its_own_labels():
    heads = model(pose=pose_head(), identity=identity_head(), unique=unique_head()).train()
    labels = animals(torch.full((2, 1, 3, 2), 20.0), torch.zeros(2, 1, dtype=torch.int64))
    labels.unique = animals(torch.full((2, 1, 2, 2), 40.0), torch.full((2, 1), -1))
    losses = heads(images(), mode="loss", instances=labels)
    assert set(losses) == {"pose.heatmap", "identity.identity", "unique.heatmap"}
    moved = replace(labels, unique=replace(labels.unique, keypoints=torch.zeros(2, 1, 2, 2)))
    other = heads(images(), mode="loss", instances=moved)
    assert losses["pose.heatmap"] == other["pose.heatmap"]
    assert losses["unique.heatmap"] != other["unique.heatmap"]
    with pytest.raises(ValueError, match="no unique body parts"):
        heads(images(), mode="loss", instances=replace(labels, unique=None))


def test_a_codec_of_a_third_party_completes_poses_in_any_head_of_maps():
    head = HeatmapHead(3, 4, 3, Means(), {"mean": MSELoss()})
    together = model(pose=pose_head(), judge=head)
    poses = together(images(), mode="predict")
    expected = together(images())["judge"]["mean"].mean(dim=(1, 2, 3))
    assert torch.allclose(poses.instance_scores[:, 0], expected)


def test_several_heads_that_find_poses_are_completed_each():
    together = model(first=pose_head(), second=pose_head(), unique=unique_head())
    poses = together(images(), mode="predict")
    assert set(poses) == {"first", "second"}
    assert all(one.unique is not None for one in poses.values())


def test_heads_that_all_complete_poses_are_refused():
    with pytest.raises(ValueError, match=r"who completes poses that another head finds"):
        PoseModel(Pixels(), head={"who": identity_head()})
    with pytest.raises(ValueError, match="UniqueKeypointsHead completes poses"):
        PoseModel(Pixels(), head=unique_head())
    with pytest.raises(ValueError, match="give one that finds them"):
        UniqueKeypointsHead(identity_head(), 2)


def test_a_head_that_finds_poses_completes_none_and_the_other_way_round():
    with pytest.raises(TypeError, match="finds poses and completes none"):
        pose_head().complete(found(torch.zeros(1, 1, 3, 2)), {}, SIZE)
    with pytest.raises(NotImplementedError, match="has none of its own"):
        identity_head().predict((torch.zeros(1, 3, 16, 24),), SIZE)


def test_a_flip_test_exchanges_unique_twins_and_no_individuals():
    together = model(pose=pose_head(), identity=identity_head(), unique=unique_head())
    plain = together(images(), flip_test=True)
    mirrored = together(images().flip(-1), flip_test=True)
    for name, output, twins in (("identity", "identity", [0, 1]), ("unique", "heatmap", [1, 0])):
        there = mirrored[name][output].flip(-1)[:, twins]
        assert torch.allclose(plain[name][output], there, atol=1e-5)


def test_a_model_with_three_heads_overfits_two_images_and_is_exported():
    torch.manual_seed(0)

    def head(count, codec, losses):
        return HeatmapHead(64, 4, count, codec, losses)

    heads = {
        "pose": head(3, GaussianHeatmap(), {"heatmap": MSELoss()}),
        "identity": head(3, IdentityMaps(WHO, radius=5), {"identity": BCELoss()}),
        "unique": UniqueKeypointsHead(head(2, GaussianHeatmap(), {"heatmap": MSELoss()}), 2),
    }
    net = PoseModel(ResNet(18, out_indices=(0,)), head=heads).train()
    pictures = torch.randn(2, 3, 48, 48)
    labels = animals(torch.rand(2, 1, 3, 2) * 38 + 5, torch.tensor([[0], [1]]))
    labels.unique = animals(torch.rand(2, 1, 2, 2) * 38 + 5, torch.full((2, 1), -1))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(90):
        optimizer.zero_grad()
        sum(net(pictures, mode="loss", instances=labels).values()).backward()
        optimizer.step()
    poses = net.eval()(pictures, mode="predict")
    assert poses.identities.tolist() == [[0], [1]]
    assert (poses.unique.keypoints - labels.unique.keypoints).norm(dim=-1).max() < 2
    exported = torch.export.export(net, (pictures,), strict=False).module()(pictures)
    assert torch.allclose(exported["unique"]["heatmap"], net(pictures)["unique"]["heatmap"])


# -- who is who ------------------------------------------------------------------------------------


def test_maps_of_individuals_have_discs_at_their_keypoints_and_nothing_of_others():
    points = [[[[17.5, 17.5]], [[60.0, 40.0]], [[80.0, 12.0]]]]
    codec = IdentityMaps(WHO, radius=6, stride=4)
    target, weight = codec.encode(animals(points, [[1, -1, -1]]), SIZE)["identity"]
    assert target.shape == weight.shape == (1, 2, 16, 24)
    assert target[0, 0].sum() == 0
    assert target[0, 1].nonzero().float().mean(0).tolist() == [4, 4]
    unknown = (weight == 0)[0]
    assert unknown[:, 9:12, 13:16].any()  # nobody knows who that is
    assert not unknown[:, :7, :7].any()
    assert torch.equal(unknown[0], unknown[1])


@settings(max_examples=60)
@given(st.data())
def test_every_animal_gets_an_individual_of_its_own(data):
    b, n, a = (data.draw(st.integers(low, 5)) for low in (1, 0, 1))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**31)))
    votes = torch.rand(b, n, a, generator=generator)
    present = torch.rand(b, n, generator=generator) < 0.7
    chosen = assigned(votes, present)
    for image in range(b):
        given_out = [i for i in chosen[image].tolist() if i >= 0]
        assert len(given_out) == len(set(given_out)) == min(a, int(present[image].sum()))
        assert (chosen[image][~present[image]] == -1).all()


def test_an_animal_is_who_most_of_its_keypoints_say_by_their_scores():
    maps = torch.zeros(1, 2, 16, 24)
    maps[0, 0, :, :12], maps[0, 1, :, 12:] = 1.0, 1.0
    codec = IdentityMaps(WHO, activation="none", stride=4)
    astray = [[[20.0, 20.0], [80.0, 20.0], [84.0, 30.0]]]
    sure_of_first = codec.complete(found([astray], [[[0.9, 0.1, 0.1]]]), {"identity": maps}, SIZE)
    sure_of_rest = codec.complete(found([astray], [[[0.1, 0.9, 0.9]]]), {"identity": maps}, SIZE)
    assert sure_of_first.identities.tolist() == [[0]]
    assert sure_of_rest.identities.tolist() == [[1]]
    assert sure_of_rest.identity_scores.argmax(-1).tolist() == [[[0, 1, 1]]]


def test_keypoints_that_were_not_found_have_no_say():
    maps = torch.zeros(1, 2, 16, 24)
    maps[0, 1] = 1.0
    codec = IdentityMaps(WHO, activation="none", stride=4)
    points = torch.tensor([[[[20.0, 20.0], [torch.nan, torch.nan]], [[torch.nan] * 2] * 2]])
    poses = codec.complete(found(points, [[[1.0, 0.0], [0.0, 0.0]]]), {"identity": maps}, SIZE)
    assert poses.identities.tolist() == [[1, -1]]
    assert poses.identity_scores[0, 0].tolist() == [[0, 1], [0, 0]]
    assert torch.equal(poses.keypoints.isnan(), points.isnan())


@pytest.mark.parametrize("anchor", ["centre", "deeplabcut"])
@settings(max_examples=25)
@given(seed=st.integers(0, 2**31))
def test_animals_that_lie_apart_are_known_again_from_perfect_maps(anchor, seed):
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(4, 2, 3, 2, generator=generator) * torch.tensor([30.0, 50.0]) + 5
    points[:, 1, :, 0] += 48
    ids = torch.stack([torch.randperm(2, generator=generator) for _ in range(4)])
    codec = IdentityMaps(WHO, radius=6, anchor=anchor, activation="none", stride=4)
    outputs = {"identity": codec.encode(animals(points, ids), SIZE)["identity"][0]}
    assert torch.equal(codec.complete(found(points), outputs, SIZE).identities, ids)


def test_data_without_individuals_is_refused():
    with pytest.raises(ValueError, match="identity: true"):
        IdentityMaps(())


# -- unique body parts -----------------------------------------------------------------------------


def test_the_head_inside_speaks_of_unique_body_parts_alone():
    head = unique_head()
    labels = animals(torch.zeros(1, 2, 3, 2), [[0, 1]])
    labels.unique = animals([[[[30.0, 20.0], [50.0, 40.0]]]], [[-1]])
    targets = head.targets(labels, SIZE)
    assert targets["heatmap"][0].shape == (1, 2, 16, 24)
    back = head.codec.decode({"heatmap": targets["heatmap"][0]}, SIZE)
    assert torch.allclose(back.keypoints, labels.unique.keypoints, atol=0.01)
    assert (head.num_keypoints, head.flip_pairs, head.max_individuals) == (2, ((0, 1),), None)
    assert set(head.state_dict()) == {"head.final_layer.weight", "head.final_layer.bias"}


def test_any_head_can_be_inside():
    class Coordinates(Codec):
        """A third party's codec of coordinates, which has no maps."""

        def output_channels(self, num_keypoints):
            return {"xy": 2 * num_keypoints}

        def encode(self, instances, size):
            return {"xy": (instances.keypoints[:, 0].flatten(1), torch.ones(1, 1))}

        def decode(self, outputs, size):
            return found(outputs["xy"].unflatten(1, (1, -1, 2)))

    class Regression(Head):
        def forward(self, features):
            return {"xy": features[0].mean(dim=(2, 3))[:, :1].expand(-1, 4)}

    head = UniqueKeypointsHead(Regression(Coordinates(), {"xy": MSELoss()}), 2)
    poses = model(pose=pose_head(), unique=head)(images(), mode="predict")
    assert poses.unique.keypoints.shape == (2, 1, 2, 2)


def test_data_without_unique_body_parts_is_refused():
    inside = HeatmapHead(3, 4, 2, PlateauHeatmap(), {})
    with pytest.raises(ValueError, match="has no unique body parts"):
        UniqueKeypointsHead(inside, 0)


def test_maps_are_read_at_pixels_as_in_deeplabcut():
    """It enlarges the logits to the image, and takes the likelihood of the nearest pixel there."""
    torch.manual_seed(0)
    logits = torch.randn(1, 2, 6, 8)
    codec = IdentityMaps(WHO[:2], anchor="deeplabcut", read="pixel", activation="sigmoid", stride=4)
    points = torch.tensor([[[[-3.0, 2.2], [13.4, 9.6], [40.0, 11.0]], [[5.0, 7.0]] * 3]])
    valid = torch.ones(1, 2, dtype=torch.bool)
    poses = Poses(points, torch.ones(1, 2, 3), torch.ones(1, 2), valid)
    found = codec.complete(poses, {"identity": logits}, (24, 32))
    large = torch.nn.functional.interpolate(logits, (24, 32), mode="bilinear").sigmoid()[0]
    pixels = points.round().long()
    x, y = pixels[..., 0].clamp(0, 31), pixels[..., 1].clamp(0, 23)
    expected = large[:, y, x].permute(1, 2, 3, 0)
    assert torch.allclose(found.identity_scores, expected, atol=1e-5)
    with pytest.raises(ValueError, match="read must be 'keypoint' or 'pixel'"):
        IdentityMaps(WHO, read="cell")

"""The model of poses: images in, outputs, losses or poses out."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from dlcreg.contracts import Backbone
from dlcreg.models.backbones.resnet import ResNet
from dlcreg.models.codecs.dark import DarkHeatmap
from dlcreg.models.codecs.gaussian import GaussianHeatmap
from dlcreg.models.codecs.plateau import PlateauHeatmap
from dlcreg.models.heads.heatmap import HeatmapHead
from dlcreg.models.layers.normalise import IMAGENET_MEAN, IMAGENET_STD, Normalise
from dlcreg.models.necks.identity import IdentityNeck
from dlcreg.models.pose_model import PoseModel
from dlcreg.solvers.losses.bce import BCELoss
from dlcreg.solvers.losses.huber import HuberLoss
from dlcreg.solvers.losses.mse import MSELoss


class Conditioned(Backbone):
    """Draws the condition's first coordinate into a map; keeps what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.out_channels, self.out_strides = (3,), (4,)
        self.pool = nn.AvgPool2d(4)

    def forward(self, images, condition):
        self.seen = condition
        return (self.pool(images),)


def images(count: int = 2, size: tuple[int, int] = (64, 96)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, generator=generator)


def test_uint8_images_are_normalised_and_floats_taken_as_they_are(small_model):
    model = small_model().eval()
    batch = images()
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    floats = (batch / 255 - mean) / std
    assert torch.allclose(model.normalise(batch), floats, atol=1e-5)
    assert torch.equal(model.normalise(floats), floats)
    assert torch.allclose(model(batch)["heatmap"], model(floats)["heatmap"], atol=1e-5)


def test_pixels_are_to_the_bit_those_of_libraries_that_multiply_by_the_reciprocal():
    levels = np.arange(256, dtype=np.float32)[:, None]
    mean, std = (np.array(values, np.float32) * 255 for values in (IMAGENET_MEAN, IMAGENET_STD))
    theirs = (levels - mean) * np.reciprocal(std)
    image = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    ours = Normalise()(image)[0].flatten(1).T
    assert np.array_equal(ours.numpy(), theirs)


def test_images_are_normalised_as_the_backbone_wants_unless_the_config_says_how(small_model):
    class Halves(ResNet):
        image_mean = image_std = (0.5, 0.5, 0.5)

    batch = images()
    model = PoseModel(Halves(18), head=nn.ModuleDict())
    assert torch.allclose(model.normalise(batch), batch / 127.5 - 1, atol=1e-5)
    told = PoseModel(Halves(18), head=nn.ModuleDict(), mean=(0.0,) * 3, std=(1.0,) * 3)
    assert torch.allclose(told.normalise(batch), batch / 255)


def test_channels_are_turned_for_a_backbone_that_wants_bgr(small_model):
    constant = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    model = small_model(channel_order="BGR", **constant)
    batch = images()
    assert torch.allclose(model.normalise(batch), batch.flip(1) / 255)


@pytest.mark.parametrize("size", [(64, 64), (65, 33), (1, 1), (100, 130)])
def test_images_of_any_size_and_a_batch_of_one_pass(small_model, label, size):
    model = small_model(num_keypoints=2).eval()
    batch = images(1, size)
    outputs = model(batch)
    height, width = (-(-length // 32) * 8 for length in size)
    assert outputs["heatmap"].shape == (1, 2, height, width)
    losses = model(batch, mode="loss", instances=label(torch.zeros(1, 1, 2, 2)))
    assert all(value.isfinite() for value in losses.values())
    assert model(batch, mode="predict").keypoints.isfinite().all()


def test_padding_moves_no_keypoint(label, targets_as_outputs):
    codec = GaussianHeatmap(stride=4)
    keypoints = torch.tensor([[[[70.0, 50.0]]]])
    poses = codec.decode(targets_as_outputs(codec, label(keypoints), (96, 96)))
    assert torch.allclose(poses.keypoints, keypoints, atol=1e-3)


def test_padding_has_no_edge_that_could_be_taken_for_a_keypoint(small_model):
    """A model once saw the tip of a tail in the corner of a black border below the image."""
    batch = torch.rand(1, 3, 40, 50)
    padded = small_model().pad(batch)
    assert padded.shape == (1, 3, 64, 64)
    assert torch.equal(padded[..., :40, :50], batch)
    assert torch.equal(padded[..., 40:, :50], batch[..., -1:, :].expand(1, 3, 24, 50))
    assert torch.equal(padded[..., 50:], padded[..., 49:50].expand(1, 3, 64, 14))


def test_losses_are_weighted_and_named_by_output(small_model, label):
    model = small_model()
    labels = label(torch.full((2, 1, 4, 2), 20.0))
    losses = model(images(), mode="loss", instances=labels)
    assert set(losses) == {"heatmap", "locref"}
    model.head.losses["heatmap"].weight = 3.0
    tripled = model(images(), mode="loss", instances=labels)
    assert tripled["heatmap"].item() == pytest.approx(3 * losses["heatmap"].item(), rel=1e-3)


def test_a_keypoint_without_a_label_gives_its_layer_no_gradient(small_model, label):
    model = small_model()
    visibility = torch.tensor([[[2, 0, 2, 0]], [[2, 0, 0, 2]]])
    keypoints = torch.rand(2, 1, 4, 2) * 60 * (visibility > 0)[..., None]
    losses = model(images(), mode="loss", instances=label(keypoints, visibility))
    sum(losses.values()).backward()
    assert (model.head.final_layer.weight.grad[1] == 0).all()
    assert (model.head.final_layer.bias.grad[1] == 0).all()
    assert (model.head.further_layers["locref"].weight.grad[2:4] == 0).all()
    for index in (0, 2, 3):
        assert (model.head.final_layer.weight.grad[index] != 0).any()


def test_every_parameter_gets_a_finite_gradient(small_model, label):
    model = small_model()
    sum(
        model(images(), mode="loss", instances=label(torch.full((2, 1, 4, 2), 30.0))).values()
    ).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_a_model_overfits_one_image(label):
    torch.manual_seed(0)
    backbone = ResNet(18, out_indices=(0,))
    head = HeatmapHead(64, 4, 2, GaussianHeatmap(), {"heatmap": MSELoss()})
    model = PoseModel(backbone, head=head).train()
    keypoints = torch.tensor([[[[21.3, 40.2], [50.6, 11.9]]]])
    batch = images(1, (64, 64))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(120):
        optimizer.zero_grad()
        sum(model(batch, mode="loss", instances=label(keypoints)).values()).backward()
        optimizer.step()
    poses = model(batch, mode="predict")
    assert (poses.keypoints - keypoints).abs().max() < 1.5
    assert poses.scores.min() > 0.5


def test_a_flip_test_of_mirrored_images_gives_mirrored_poses(small_model):
    model = small_model(flip_pairs=[(0, 1)]).eval()
    batch = images(size=(64, 64))
    plain = model(batch, mode="tensor", flip_test=True)
    mirrored = model(batch.flip(-1), mode="tensor", flip_test=True)
    twins = torch.tensor([1, 0, 2, 3])
    assert torch.allclose(plain["heatmap"], mirrored["heatmap"].flip(-1)[:, twins], atol=1e-5)
    here = model(batch, mode="predict", flip_test=True)
    there = model(batch.flip(-1), mode="predict", flip_test=True).keypoints[:, :, twins]
    there[..., 0] = 63 - there[..., 0]
    assert torch.allclose(here.keypoints, there, atol=1e-3)


def test_a_flip_test_runs_the_backbone_once(small_model):
    model = small_model().eval()
    sizes = []
    model.backbone.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    model(images(3), mode="predict", flip_test=True)
    assert sizes == [6]


def test_several_heads_share_the_features(label):
    backbone = ResNet(18, out_indices=(0,))
    heads = {
        "body": HeatmapHead(64, 4, 3, GaussianHeatmap(), {"heatmap": MSELoss()}),
        "corners": HeatmapHead(64, 4, 3, PlateauHeatmap(locref_std=None), {"heatmap": BCELoss()}),
    }
    model = PoseModel(backbone, head=heads)
    assert set(model(images())) == {"body", "corners"}
    assert set(model(images(), mode="predict", flip_test=True)) == {"body", "corners"}
    losses = model(images(), mode="loss", instances=label(torch.full((2, 1, 3, 2), 20.0)))
    assert set(losses) == {"body.heatmap", "corners.heatmap"}


def test_a_condition_reaches_the_backbone_and_is_mirrored_with_the_image():
    backbone = Conditioned()
    head = HeatmapHead(3, 4, 2, GaussianHeatmap(), {})
    model = PoseModel(backbone, head=head, flip_pairs=[(0, 1)])
    condition = torch.tensor([[[10.0, 5.0, 1.0], [40.0, 6.0, 0.5]]])
    model(images(1, (64, 64)), condition=condition)
    assert torch.equal(backbone.seen, condition)
    model(images(1, (64, 64)), mode="predict", condition=condition, flip_test=True)
    assert backbone.seen[1].tolist() == [[23.0, 6.0, 0.5], [53.0, 5.0, 1.0]]


def test_a_drawn_condition_is_mirrored_as_the_image_unless_the_backbone_knows_better():
    head = HeatmapHead(3, 4, 2, GaussianHeatmap(), {})
    drawn = torch.rand(1, 2, 64, 96)
    model = PoseModel(Conditioned(), head=head, flip_pairs=[(0, 1)])
    model(images(1), condition=drawn, flip_test=True)
    assert torch.equal(model.backbone.seen, torch.cat([drawn, drawn.flip(-1)]))
    knows = Conditioned()
    knows.mirror_condition = lambda condition, flip_index: condition.flip(-1)[:, flip_index]
    PoseModel(knows, head=head, flip_pairs=[(0, 1)])(images(1), condition=drawn, flip_test=True)
    assert torch.equal(knows.seen[1:], drawn.flip(-1).flip(1))


def test_a_drawn_condition_is_padded_as_the_image():
    backbone = Conditioned()
    backbone.size_divisor = 32
    model = PoseModel(backbone, head=HeatmapHead(3, 4, 2, GaussianHeatmap(), {}))
    drawn = torch.rand(1, 2, 60, 90)
    model(images(1, (60, 90)), condition=drawn)
    assert torch.equal(backbone.seen, nn.functional.pad(drawn, (0, 6, 0, 4)))


@pytest.mark.parametrize("mode", ["tensor", "loss", "predict"])
def test_images_without_a_condition_are_refused_by_a_model_that_needs_one(mode, label):
    model = PoseModel(Conditioned(), head=HeatmapHead(3, 4, 2, GaussianHeatmap(), {}))
    with pytest.raises(ValueError, match="Conditioned looks at a condition, and there is none"):
        model(images(), mode=mode, instances=label(torch.full((2, 1, 2, 2), 20.0)))


def test_a_model_that_takes_no_condition_leaves_it_alone(small_model):
    model = small_model().eval()
    plain, conditioned = model(images()), model(images(), condition=torch.zeros(2, 3, 3))
    assert all(torch.equal(plain[name], conditioned[name]) for name in plain)


def test_state_dicts_hold_weights_alone_and_come_back(small_model):
    first, second = small_model(), small_model()
    for parameter in first.parameters():
        nn.init.normal_(parameter)
    second.load_state_dict(first.state_dict())
    assert not any("mean" in k and "running" not in k for k in first.state_dict())
    batch = images()
    a, b = first.eval()(batch), second.eval()(batch)
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_a_model_goes_to_another_process(small_model):
    model = pickle.loads(pickle.dumps(small_model().eval()))
    assert set(model(images())) == {"heatmap", "locref"}


def test_a_model_is_traced_on_the_meta_device(small_model):
    with torch.device("meta"):
        model = small_model()
        outputs = model(torch.zeros(2, 3, 100, 64, dtype=torch.uint8))
    assert outputs["heatmap"].shape == (2, 4, 32, 16)


def test_a_model_in_bf16_stays_within_a_pixel(small_model):
    model = small_model(locref_std=None).eval()
    outputs = model(images())
    with torch.autocast("cpu", torch.bfloat16):
        half = model(images())
        poses = model(images(), mode="predict")
    assert half["heatmap"].dtype == torch.bfloat16
    assert poses.keypoints.dtype == torch.float32
    assert torch.allclose(half["heatmap"].float(), outputs["heatmap"], atol=1e-2)


def test_a_neck_is_optional(small_model):
    model = small_model().eval()
    before = model(images())["heatmap"]
    model.neck = None
    assert torch.equal(model(images())["heatmap"], before)


def test_the_identity_neck_hands_on_what_it_gets():
    neck = IdentityNeck([8, 16], [4, 8])
    features = (torch.zeros(1), torch.ones(1))
    assert neck(features) is features
    assert (neck.out_channels, neck.out_strides) == ((8, 16), (4, 8))


@pytest.mark.parametrize("kernel", [2, 3, 4])
def test_each_deconvolution_doubles_the_map(kernel):
    head = HeatmapHead(8, 16, 2, GaussianHeatmap(), {}, (4, 4), kernel)
    assert head((torch.zeros(1, 8, 3, 5),))["heatmap"].shape == (1, 2, 12, 20)
    assert head.codec.stride == 4.0


def make_head(**options):
    values = {"codec": GaussianHeatmap(), "losses": {"heatmap": MSELoss()}, **options}
    return HeatmapHead(8, 4, values.pop("num_keypoints", 3), **values)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"codec": GaussianHeatmap(stride=8)}, "stride=8, but the maps of HeatmapHead have"),
        ({"losses": {"heatmap": MSELoss(), "locref": HuberLoss()}}, "losses has 'locref', which"),
        ({"codec": GaussianHeatmap(locref_std=5.0)}, "losses has nothing for 'locref'"),
        (
            {"codec": GaussianHeatmap(activation="none"), "losses": {"heatmap": BCELoss()}},
            "BCELoss trains outputs for activation='sigmoid', but GaussianHeatmap decodes with",
        ),
        ({"codec": GaussianHeatmap(activation="sigmoid")}, "leave the codec's activation out"),
        (
            {"codec": DarkHeatmap(), "losses": {"heatmap": BCELoss()}},
            "choose another loss or another codec",
        ),
        ({"deconv_kernel": 5}, "deconv_kernel must be 2, 3 or 4"),
        ({"final_kernel": 2}, "final_kernel must be odd"),
        ({"num_keypoints": 0}, "num_keypoints must be an int of at least 1, not 0"),
        ({"num_keypoints": "4"}, "num_keypoints must be an int of at least 1, not '4'"),
        ({"num_keypoints": 2.5}, "num_keypoints must be an int of at least 1, not 2.5"),
        ({"deconv_channels": [8, 0]}, r"deconv_channels must be at least 1 each, not \[8, 0\]"),
    ],
)
def test_heads_refuse_what_does_not_fit(options, text):
    with pytest.raises(ValueError, match=text):
        make_head(**options)


def test_bce_makes_the_codec_apply_a_sigmoid():
    head = make_head(codec=PlateauHeatmap(locref_std=None), losses={"heatmap": BCELoss()})
    poses = head.predict((torch.zeros(1, 8, 4, 4),), (16, 16))
    assert poses.scores.tolist() == [[[0.5, 0.5, 0.5]]]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"channel_order": "GBR"}, "channel_order must be"),
        ({"mean": (0.5,)}, "need 3 values each"),
        ({"std": (1.0, 0.0, 1.0)}, "std above 0"),
        ({"flip_pairs": [(0, 9)]}, r"flip_pairs: \(0, 9\) does not lie within 4 keypoints"),
        ({"flip_pairs": [(0, 0)]}, r"flip_pairs: \(0, 0\): a keypoint has one twin at most"),
        ({"flip_pairs": [(0, 1), (1, 2)]}, r"flip_pairs: \(1, 2\): a keypoint has one twin"),
    ],
)
def test_models_refuse_values_without_sense(small_model, options, text):
    with pytest.raises(ValueError, match=text):
        small_model(**options)


def test_wrong_calls_say_what_is_missing(small_model):
    model = small_model().eval()
    with pytest.raises(ValueError, match="needs instances="):
        model(images(), mode="loss")
    with pytest.raises(ValueError, match="mode must be"):
        model(images(), mode="train")


def test_images_can_be_left_as_large_as_they_are(small_model):
    model = small_model(size_divisor=1).eval()
    images = torch.zeros(1, 3, 61, 87)
    assert model.pad(images).shape == images.shape
    assert small_model().pad(images).shape == (1, 3, 64, 96)
    with pytest.raises(ValueError, match="size_divisor must be at least 1"):
        small_model(size_divisor=0)

"""Part affinity fields against the targets, the losses and the decoding of DeepLabCut."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcreg.models.codecs.paf import PartAffinityFields
from dlcreg.models.codecs.paf_detection import blurred
from dlcreg.solvers.losses.bce import BCELoss
from dlcreg.solvers.losses.huber import HuberLoss
from dlcreg.solvers.losses.mse import MSELoss

DEEPLABCUT = dict(
    overlap="last",
    score="blurred",
    search="blurred",
    apart=0.0,
    affinity="deeplabcut",
    growth="links",
    suppression="boxes",
    activation="sigmoid",
)
CHAIN = [0, 5, 9, 12, 14]


@pytest.fixture(scope="module")
def file(shared):
    return np.load(shared / "golden" / "out" / "codec_dlc_bottomup.npz")


@pytest.fixture(scope="module")
def labels(file, label):
    keypoints = file["in/keypoints"]
    visible = keypoints[..., 2] > 0
    return label(np.where(visible[..., None], keypoints[..., :2], 0), visible)


@pytest.fixture(scope="module")
def outputs(file):
    return {name: torch.tensor(file[f"in/pred_{name}"]) for name in ("heatmap", "locref", "paf")}


def codec(file, edges=slice(None), **options):
    graph = file["in/graph"][edges].tolist()
    options = {"num_individuals": 3, "graph": graph, "stride": 8, **DEEPLABCUT, **options}
    return PartAffinityFields(6, **options)


def distance(ours, theirs) -> float:
    return float(np.abs(np.asarray(ours) - theirs).max())


def test_the_complete_graph_is_deeplabcut_s(file):
    assert codec(file).edges == PartAffinityFields(6).edges


@pytest.mark.parametrize("kind", ["plateau", "gaussian"])
def test_targets_are_deeplabcut_s(file, labels, kind):
    targets = codec(file, heatmap=kind).encode(labels, (320, 320))
    assert distance(targets["heatmap"][0], file[f"out/{kind}_heatmap"]) < 1e-5
    assert distance(targets["locref"][1], file[f"out/{kind}_locref_weights"]) == 0
    assert distance(targets["paf"][0], file["out/paf"]) < 1e-5
    # DeepLabCut's Gaussian generator fills all cells with the way to the last animal, wherever it
    # is, a defect of the original: an animal beside another one is trained to point at it.
    inside = file[f"out/{kind}_locref_weights"] > 0
    theirs = file["out/plateau_locref"]
    assert distance(targets["locref"][0].numpy()[inside], theirs[inside]) < 1e-5


def test_losses_are_deeplabcut_s(file, labels, outputs):
    targets = codec(file).encode(labels, (320, 320))
    heat = torch.tensor(file["out/plateau_heatmap_weights"])
    one = torch.ones(())
    losses = {
        "heatmap": BCELoss()(outputs["heatmap"], targets["heatmap"][0], heat),
        "locref": HuberLoss()(outputs["locref"], *targets["locref"]),
        "paf": HuberLoss()(outputs["paf"], targets["paf"][0], one),
    }
    assert losses["heatmap"].item() == pytest.approx(float(file["out/loss_bce"]), rel=1e-5)
    assert losses["locref"].item() == pytest.approx(float(file["out/loss_locref_huber"]), rel=1e-4)
    assert losses["paf"].item() == pytest.approx(float(file["out/loss_paf_huber"]), rel=1e-4)
    # DeepLabCut takes the mean of the weighted losses: dlcreg's weights are a third of its own
    weights = {"heatmap": 1 / 3, "locref": 0.05 / 3, "paf": 0.1 / 3}
    total = sum(weights[name] * loss for name, loss in losses.items())
    assert total.item() == pytest.approx(float(file["out/loss_total_mean_aggregate"]), rel=1e-5)
    squares = MSELoss()(outputs["heatmap"], targets["heatmap"][0], heat)
    assert squares.item() == pytest.approx(float(file["out/loss_mse_weighted"]), rel=1e-5)


def test_detections_and_affinities_are_deeplabcut_s(file, outputs):
    ours = codec(file)
    found = ours.detect(outputs)
    affinities = ours.affinities(outputs, found).numpy()
    for image in range(2):
        order = []
        for keypoint in range(6):
            theirs = file[f"out/detections_b{image}_k{keypoint}"]
            there = found.found[image, keypoint]
            assert int(there.sum()) == len(theirs)
            mine = torch.cat([found.keypoints, found.scores[..., None]], -1)[image, keypoint]
            mine = mine[there].numpy()
            order.append([int(np.abs(mine - row).sum(axis=1).argmin()) for row in theirs])
            assert distance(mine[order[-1]], theirs) < 1e-4
        for edge, (a, b) in enumerate(ours.edges):
            mine = affinities[image, edge][np.ix_(order[a], order[b])]
            assert distance(mine, file[f"out/affinity_b{image}_e{edge}"]) < 1e-6
            cells = [found.cells[image, k][order[k]].float() for k in (a, b)]
            lengths = torch.cdist(*cells).round(decimals=3)
            assert distance(lengths, file[f"out/distance_b{image}_e{edge}"]) < 1e-5


def test_maps_are_smoothed_by_deeplabcut_s_kernel(file):
    dot = torch.zeros(1, 1, 21, 21)
    dot[..., 10, 10] = 1
    smooth = blurred(dot, sigma=1.0)[0, 0, 5:16, 5:16]
    assert distance(smooth, file["out/gaussian_kernel_11_sigma1"]) < 1e-7


@pytest.mark.parametrize(("name", "edges"), [("", slice(None)), ("_chain", CHAIN)])
def test_animals_are_deeplabcut_s(file, outputs, name, edges):
    assert file["in/edges_chain"].tolist() == CHAIN
    channels = np.arange(30).reshape(15, 2)[edges].flatten()
    paf = outputs["paf"][:, channels]
    check_animals(codec(file, edges).decode({**outputs, "paf": paf}), file[f"out/paf_poses{name}"])


def test_edges_that_were_chosen_give_the_animals_of_their_graph(file, outputs):
    ours = codec(file)
    ours.kept_edges.zero_()[CHAIN] = True
    check_animals(ours.decode(outputs), file["out/paf_poses_chain"])


def check_animals(poses, theirs):
    """Compare poses with DeepLabCut's x, y, score, identity, affinity; -1 where there is none."""
    there = theirs[:, :, 0, 4] >= 0
    assert np.array_equal(poses.valid.numpy(), there)
    missing = np.isnan(theirs[there][..., 0])
    assert np.array_equal(np.isnan(poses.keypoints.numpy()[there][..., 0]), missing)
    assert distance(poses.keypoints.numpy()[there][~missing], theirs[there][~missing][:, :2]) < 1e-4
    assert distance(poses.scores.numpy()[there], theirs[there][..., 2]) < 1e-6
    affinity = poses.instance_scores / poses.scores.mean(dim=-1)
    assert distance(affinity.numpy()[there], theirs[there][:, 0, 4]) < 1e-5

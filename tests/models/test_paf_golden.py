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


def labels_of(file, label):
    keypoints = file["in/keypoints"]
    visible = keypoints[..., 2] > 0
    return label(np.where(visible[..., None], keypoints[..., :2], 0), visible)


def outputs_of(file) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(file[f"in/pred_{name}"]) for name in ("heatmap", "locref", "paf")}


def codec(file, edges=slice(None), **options) -> PartAffinityFields:
    graph, stride = file["in/graph"][edges].tolist(), float(file["in/stride"])
    options = {"num_individuals": 3, "graph": graph, "stride": stride, **DEEPLABCUT, **options}
    return PartAffinityFields(6, **options)


@pytest.mark.codec_file("codec_dlc_bottomup", "in/graph", "in/stride")
def test_the_complete_graph_is_deeplabcut_s(codec_file):
    assert codec(codec_file).edges == PartAffinityFields(6).edges


@pytest.mark.codec_file(
    "codec_dlc_bottomup",
    "in/keypoints",
    "in/graph",
    "in/stride",
    "out/*_heatmap",
    "out/*_locref",
    "out/*_locref_weights",
    "out/paf",
)
def test_targets_are_deeplabcut_s(codec_file, label):
    labels = labels_of(codec_file, label)
    for kind in ("plateau", "gaussian"):
        targets = codec(codec_file, heatmap=kind).encode(labels, (320, 320))
        codec_file.compare(f"out/{kind}_heatmap", targets["heatmap"][0], atol=1e-5)
        codec_file.compare(f"out/{kind}_locref_weights", targets["locref"][1])
        codec_file.compare("out/paf", targets["paf"][0], atol=1e-5)
        codec_file.compare("out/plateau_locref", targets["locref"][0], atol=1e-5)
    # DeepLabCut's Gaussian generator fills all cells with the way to the last animal, wherever it
    # is, a defect of the original: an animal beside another one is trained to point at it.
    everywhere = codec(codec_file, radius=1000.0).encode(labels, (320, 320))
    codec_file.compare("out/gaussian_locref", everywhere["locref"][0], atol=1e-5)


@pytest.mark.codec_file(
    "codec_dlc_bottomup", "in/keypoints", "in/graph", "in/stride", "in/pred_*", "out/loss_*"
)
def test_losses_are_deeplabcut_s(codec_file, label):
    outputs, ours = outputs_of(codec_file), codec(codec_file)
    targets = ours.encode(labels_of(codec_file, label), (320, 320))
    heat = torch.tensor(codec_file["out/plateau_heatmap_weights"])
    one = torch.ones(())
    losses = {
        "heatmap": BCELoss()(outputs["heatmap"], targets["heatmap"][0], heat),
        "locref": HuberLoss()(outputs["locref"], *targets["locref"]),
        "paf": HuberLoss()(outputs["paf"], targets["paf"][0], one),
    }
    codec_file.compare("out/loss_bce", losses["heatmap"], rtol=1e-5)
    codec_file.compare("out/loss_locref_huber", losses["locref"], rtol=1e-4)
    codec_file.compare("out/loss_paf_huber", losses["paf"], rtol=1e-4)
    # DeepLabCut takes the mean of the weighted losses: dlcreg's weights are a third of its own
    weights = {"heatmap": 1 / 3, "locref": 0.05 / 3, "paf": 0.1 / 3}
    total = sum(weights[name] * loss for name, loss in losses.items())
    codec_file.compare("out/loss_total_mean_aggregate", total, rtol=1e-5)
    squares = MSELoss()(outputs["heatmap"], targets["heatmap"][0], heat)
    codec_file.compare("out/loss_mse_weighted", squares, rtol=1e-5)


@pytest.mark.codec_file(
    "codec_dlc_bottomup",
    "in/graph",
    "in/stride",
    "in/pred_*",
    "out/detections_*",
    "out/affinity_*",
    "out/distance_*",
)
def test_detections_and_affinities_are_deeplabcut_s(codec_file):
    ours, outputs = codec(codec_file), outputs_of(codec_file)
    found = ours.detect(outputs)
    affinities = ours.affinities(outputs, found).numpy()
    for image in range(2):
        order = []
        for keypoint in range(6):
            theirs = f"out/detections_b{image}_k{keypoint}"
            mine = torch.cat([found.keypoints, found.scores[..., None]], -1)[image, keypoint]
            mine = mine[found.found[image, keypoint]].numpy()
            order.append(
                [int(np.abs(mine - row).sum(axis=1).argmin()) for row in codec_file[theirs]]
            )
            assert sorted(order[-1]) == list(range(len(mine)))
            codec_file.compare(theirs, mine[order[-1]], atol=1e-4)
        for edge, (a, b) in enumerate(ours.edges):
            mine = affinities[image, edge][np.ix_(order[a], order[b])]
            codec_file.compare(f"out/affinity_b{image}_e{edge}", mine, atol=1e-6)
            cells = [found.cells[image, k][order[k]].float() for k in (a, b)]
            lengths = torch.cdist(*cells).round(decimals=3)
            codec_file.compare(f"out/distance_b{image}_e{edge}", lengths, atol=1e-5)


@pytest.mark.codec_file("codec_dlc_bottomup", "out/gaussian_kernel_11_sigma1")
def test_maps_are_smoothed_by_deeplabcut_s_kernel(codec_file):
    dot = torch.zeros(1, 1, 21, 21)
    dot[..., 10, 10] = 1
    smooth = blurred(dot, sigma=1.0)[0, 0, 5:16, 5:16]
    codec_file.compare("out/gaussian_kernel_11_sigma1", smooth, atol=1e-7)


@pytest.mark.codec_file(
    "codec_dlc_bottomup", "in/graph", "in/stride", "in/edges_chain", "in/pred_*", "out/paf_poses*"
)
def test_animals_are_deeplabcut_s(codec_file):
    outputs, chain = outputs_of(codec_file), codec_file["in/edges_chain"]
    channels = np.arange(30).reshape(15, 2)
    for name, edges in (("paf_poses", slice(None)), ("paf_poses_chain", chain)):
        paf = outputs["paf"][:, channels[edges].flatten()]
        poses = codec(codec_file, edges).decode({**outputs, "paf": paf})
        check_animals(codec_file, name, poses)


@pytest.mark.codec_file(
    "codec_dlc_bottomup", "in/graph", "in/stride", "in/edges_*", "in/pred_*", "out/paf_poses_chain"
)
def test_edges_that_were_chosen_give_the_animals_of_their_graph(codec_file):
    ours = codec(codec_file)
    ours.kept_edges.zero_()[codec_file["in/edges_chain"]] = True
    check_animals(codec_file, "paf_poses_chain", ours.decode(outputs_of(codec_file)))


def check_animals(file, name, poses):
    """Compare poses with DeepLabCut's x, y, score, identity, affinity; -1 where there is none."""
    affinity = poses.instance_scores / poses.scores.mean(dim=-1)
    identity = torch.where(poses.keypoints[..., 0].isnan(), torch.nan, -1.0)
    columns = (*poses.keypoints.unbind(-1), poses.scores, identity)
    rows = torch.stack([*columns, affinity[..., None].expand_as(poses.scores)], dim=-1)
    rows = torch.where(poses.valid[..., None, None], rows, -1.0)
    file.compare(f"out/{name}", rows, atol=[1e-4, 1e-4, 1e-6, 0, 1e-5])

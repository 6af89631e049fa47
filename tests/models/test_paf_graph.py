"""The graph of part affinity fields: complete, thinned out, chosen on the training data."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from dlcreg.models.codecs.paf import PartAffinityFields
from dlcreg.models.codecs.paf_graph import check_graph, complete_graph
from dlcreg.models.codecs.paf_selection import candidates, spanning_tree


def test_small_graphs_are_complete():
    assert complete_graph(3) == ((0, 1), (0, 2), (1, 2))
    assert len(complete_graph(14)) == 91


@pytest.mark.parametrize("count", [15, 16, 21, 40])
def test_large_graphs_have_six_links_a_keypoint_and_hang_together(count):
    edges = complete_graph(count)
    assert len(edges) == 3 * count
    assert check_graph(edges, count, "graph") == edges
    assert edges == complete_graph(count)
    assert edges != complete_graph(count, seed=1)


def test_channels_follow_from_the_graph():
    assert PartAffinityFields(12).output_channels(12) == {"heatmap": 12, "locref": 24, "paf": 132}
    skeleton = [(0, 1), (1, 2)]
    codec = PartAffinityFields(3, skeleton, graph="skeleton", locref_std=None)
    assert codec.output_channels(3) == {"heatmap": 3, "paf": 4}


def test_the_spanning_tree_takes_the_best_edges_that_close_no_circle():
    edges = [(0, 1), (1, 2), (0, 2), (2, 3)]
    assert sorted(spanning_tree(edges, np.array([0.9, 0.8, 0.7, 0.6]))) == [0, 1, 3]


def test_candidates_grow_from_the_tree_to_all_edges():
    edges = complete_graph(12)
    graphs = candidates(edges, np.linspace(1, 0, len(edges)))
    assert [len(graph) for graph in (graphs[0], graphs[-1])] == [11, 66]
    assert len(graphs) == 10
    assert all(set(small) < set(large) for small, large in itertools.pairwise(graphs))


@pytest.fixture
def outcomes(label, targets_as_outputs):
    """Perfect outputs, but that the fields of some edges point from one animal to the other."""

    def make(codec, wrong=(), images=4):
        generator = torch.Generator().manual_seed(0)
        pose = torch.randn(images, 2, 5, 2, generator=generator) * 15
        keypoints = pose + torch.tensor([[45.0, 60.0], [130.0, 60.0]])[:, None]
        outputs = targets_as_outputs(codec, label(keypoints), (128, 176))
        for edge in wrong:
            crossed = keypoints.clone()
            crossed[:, :, codec.edges[edge][1]] = keypoints.flip(1)[:, :, codec.edges[edge][1]]
            fields = targets_as_outputs(codec, label(crossed), (128, 176))["paf"]
            channels = [2 * edge, 2 * edge + 1]
            outputs["paf"][:, channels] = fields[:, channels]
        return [(outputs, label(keypoints))]

    return make


def test_edges_that_mix_animals_up_are_left_out(outcomes):
    codec = PartAffinityFields(5, num_individuals=2, stride=4.0, select_graph=True)
    assert codec.calibrates
    report = codec.calibrate(outcomes(codec, wrong=(1, 6)))
    kept = codec.kept_edges.tolist()
    assert not kept[1]
    assert not kept[6]
    assert sum(kept) >= 4
    assert "of 10" in report["edges kept"]


def test_the_choice_travels_with_the_state_of_the_codec(outcomes):
    codec = PartAffinityFields(5, num_individuals=2, stride=4.0)
    codec.calibrate(outcomes(codec, wrong=(1, 6)))
    other = PartAffinityFields(5, num_individuals=2, stride=4.0)
    other.load_state_dict(codec.state_dict())
    ((outputs, _),) = outcomes(codec, wrong=(1, 6))
    assert torch.equal(other.kept_edges, codec.kept_edges)
    assert torch.equal(other.decode(outputs).keypoints, codec.decode(outputs).keypoints)


def test_where_nothing_is_found_all_edges_stay(outcomes):
    codec = PartAffinityFields(5, num_individuals=2, stride=4.0)
    ((outputs, labels),) = outcomes(codec)
    empty = {name: torch.zeros_like(value) for name, value in outputs.items()}
    codec.calibrate([(empty, labels)])
    assert codec.kept_edges.all()

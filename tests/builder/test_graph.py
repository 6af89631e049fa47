"""The graph of a config follows the tensors, whatever the parts are."""

from __future__ import annotations

import pytest
from torch import nn

from dlcreg.builder import examine
from dlcreg.builder.graph import graph_of
from dlcreg.contracts import Backbone, Neck


class Looking(Backbone):
    """Declares nothing, and looks at values, which the meta device has none of."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Conv2d(3, 8, 3, stride=4, padding=1)
        self.coarse = nn.Conv2d(8, 16, 3, stride=2, padding=1)

    def forward(self, images):
        if images.sum().item() > 1e30:
            raise ValueError
        maps = self.fine(images)
        return maps, self.coarse(maps)


class Coarsest(Neck):
    def __init__(self, in_channels: tuple[int, ...], in_strides: tuple[int, ...]) -> None:
        super().__init__()
        self.project = nn.Conv2d(in_channels[-1], 4, 1)

    def forward(self, features):
        return (self.project(features[-1] * 2),)


@pytest.fixture
def graph(folder):
    head = dict(
        type="HeatmapHead",
        codec=dict(type="GaussianHeatmap"),
        losses=dict(heatmap=dict(type="MSELoss")),
    )
    config = dict(
        model=dict(
            backbone=dict(type=Looking), neck=dict(type=Coarsest), head=dict(left=head, right=head)
        ),
        data=dict(train=dict(type="PoseDataset", project="project")),
        solver=dict(optimizer=dict(type="SGD", lr=0.1), max_epochs=1),
    )
    plan = examine(config, open_data=False)
    assert plan.placed() == []
    return graph_of(plan)


def test_parts_of_a_user_have_shapes_strides_and_costs(graph):
    backbone = graph.node("model.backbone")
    assert (backbone.name, backbone.kind, backbone.package) == (
        "Looking", "backbone", "(this process)",
    )  # fmt: skip
    assert backbone.inputs == ["(B, 3, 256, 192)"]
    assert backbone.outputs == ["(B, 8, 64, 48) stride 4", "(B, 16, 32, 24) stride 8"]
    assert backbone.parameters == 3 * 8 * 9 + 8 + 8 * 16 * 9 + 16
    assert backbone.macs == 3 * 8 * 9 * 64 * 48 + 8 * 16 * 9 * 32 * 24


def test_each_head_has_edges_of_its_own(graph):
    edges = {(edge.source, edge.target): edge.words for edge in graph.edges}
    for head in ("left", "right"):
        path = f"model.head.{head}"
        assert edges["model.neck", path] == ("(B, 4, 32, 24) stride 8",)
        assert edges[path, f"{path}.codec"] == ("heatmap (B, 4, 32, 24)",)
        assert edges[f"{path}.losses.heatmap", "solver.optimizer"] == ("loss",)


def test_nothing_is_known_of_data_that_is_not_open(graph):
    assert not graph.known
    assert graph.node("data.train").outputs == []


def test_open_data_tells_samples_and_the_size_after_each_transform(folder):
    graph = graph_of(examine("config.py"))
    train = graph.node("data.train")
    assert graph.known
    assert train.inputs == ["6 samples"]
    assert train.outputs == ["images (B, 3, 64, 96) uint8", "keypoints (B, 1, 6, 2)"]
    flip = graph.node("data.train.transform.0")
    assert (flip.inputs, flip.outputs) == (["64 x 96"], ["64 x 96"])

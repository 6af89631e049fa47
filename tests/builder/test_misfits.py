"""What an evaluation asks of a model that the model cannot do."""

from __future__ import annotations

import pytest
import yaml

from dlcreg.builder import check

HEADS = {
    "SimCC": dict(
        type="RTMCCHead",
        codec=dict(type="SimCC"),
        losses=dict(x=dict(type="MSELoss"), y=dict(type="MSELoss")),
    ),
    "GaussianHeatmap": dict(
        type="HeatmapHead",
        codec=dict(type="GaussianHeatmap"),
        losses=dict(heatmap=dict(type="MSELoss")),
    ),
}


@pytest.fixture
def told(tmp_path):
    """The problems that `dlcreg check` tells of a config with a head and an evaluation."""

    def find(codec, **evaluation):
        path = tmp_path / "config.yaml"
        config = dict(
            model=dict(backbone=dict(type="ResNet", depth=18), head=HEADS[codec]),
            data=dict(train=dict(type="PoseDataset", project="nowhere")),
            solver=dict(optimizer=dict(type="AdamW"), max_epochs=1),
            evaluation=evaluation,
        )
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        found = check(path, open_data=False)
        return [str(problem) for problem in found if problem.path.startswith("evaluation")]

    return find


def test_scales_that_a_codec_cannot_put_together_are_told_with_their_line(told):
    (problem,) = told("SimCC", flip_test=True, scales=[0.5, 1])
    assert "config.yaml:" in problem
    assert "evaluation.scales: SimCC has no multi-scale test" in problem
    assert "Leave scales out, or take another codec" in problem


def test_what_a_codec_can_do_is_no_problem(told):
    assert told("GaussianHeatmap", flip_test=True, scales=[0.5, 1]) == []
    assert told("SimCC", scales=[1]) == []


# images are padded to multiples of the stride: 48 x 64 and 64 x 48 to 64 x 64 both, all of it seen
@pytest.mark.parametrize(
    ("test_size", "count"), [((64, 48), 0), ((48, 64), 0), ((64, 96), 1), ((96, 64), 1)]
)
@pytest.mark.parametrize("codec", ["SimCC", "GaussianHeatmap"])
def test_images_of_a_size_that_a_head_is_not_made_for_are_told(
    tmp_path, demo_project, test_size, count, codec
):
    def part(mode, size):
        crop = dict(type="CropInstance", size=list(size))
        data = dict(type="PoseDataset", project=str(demo_project), mode=mode)
        return dict(data, view="instance", transform=[crop])

    config = dict(
        model=dict(backbone=dict(type="ResNet", depth=18), head=HEADS[codec]),
        data=dict(train=part("train", (64, 48)), test=part("test", test_size)),
        solver=dict(optimizer=dict(type="AdamW"), max_epochs=1),
    )
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    found = check(path)
    if codec == "GaussianHeatmap":  # maps of any size do
        assert found == []
        return
    assert len(found) == count
    if count:
        height, width = test_size
        assert found[0].path == "data.test.transform"
        assert f"images of {height} x {width} pixels (height x width)" in found[0].message
        assert "RTMCCHead (model.head) is made for 64 x 48" in found[0].message

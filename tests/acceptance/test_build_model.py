"""Third way in: ``build_model(dict(...))`` from Python."""

from __future__ import annotations

import pytest
import torch

import dlcreg
from dlcreg import Instances

MODEL = dict(
    backbone=dict(type="ResNet", depth=18, out_indices=(2,)),
    neck=dict(type="IdentityNeck"),
    head=dict(
        type="HeatmapHead",
        codec=dict(type="GaussianHeatmap", sigma=1.0),
        losses=dict(heatmap=dict(type="MSELoss")),
    ),
)


def _labels() -> Instances:
    return Instances(
        keypoints=torch.tensor([[[[20.0, 30.0], [40.0, 16.0]]]]),
        visibility=torch.tensor([[[2, 0]]], dtype=torch.uint8),
        boxes=torch.zeros(1, 1, 4),
        areas=torch.ones(1, 1),
        valid=torch.ones(1, 1, dtype=torch.bool),
        ids=torch.zeros(1, 1, dtype=torch.int64),
    )


def test_a_dict_becomes_a_module_that_runs_forward_and_backward():
    model = dlcreg.build_model(MODEL, num_keypoints=2)
    assert isinstance(model, torch.nn.Module)
    images = torch.randint(0, 255, (1, 3, 64, 96), dtype=torch.uint8)
    assert model(images)["heatmap"].shape == (1, 2, 4, 6)
    loss = sum(model(images, mode="loss", instances=_labels()).values())
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())
    poses = model.eval()(images, mode="predict")
    assert poses.keypoints.shape == (1, 1, 2, 2)


def test_the_same_dict_can_be_built_twice():
    before = repr(MODEL)
    dlcreg.build_model(MODEL, num_keypoints=2)
    dlcreg.build_model(MODEL, num_keypoints=5)
    assert repr(MODEL) == before


def test_classes_and_import_paths_serve_as_types():
    from dlcreg.models.necks.identity import IdentityNeck

    for neck in (IdentityNeck, "dlcreg.models.necks.identity:IdentityNeck", "dlcreg/IdentityNeck"):
        model = dlcreg.build_model({**MODEL, "neck": dict(type=neck)}, num_keypoints=2)
        assert type(model.neck) is IdentityNeck


def test_a_part_written_in_a_script_is_built_by_its_name_and_by_its_class():
    @dlcreg.NECKS.register_module()
    class AcceptanceScriptNeck(dlcreg.Neck):
        def forward(self, features: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
            return features[-1:]

    for neck in ("AcceptanceScriptNeck", AcceptanceScriptNeck):
        model = dlcreg.build_model({**MODEL, "neck": dict(type=neck)}, num_keypoints=2)
        assert type(model.neck) is AcceptanceScriptNeck
        assert model(torch.zeros(1, 3, 64, 96))["heatmap"].shape == (1, 2, 4, 6)


def test_a_model_that_cannot_fit_is_refused_with_the_path_of_the_part():
    wrong = {**MODEL, "neck": dict(type="FPN", num_levels=3), "head": {**MODEL["head"], "codek": 1}}
    with pytest.raises(dlcreg.ConfigError) as error:
        dlcreg.build_model(wrong, num_keypoints=2)
    assert "head.codek: HeatmapHead takes no 'codek'. Did you mean 'codec'?" in str(error.value)

"""Weights of a classifier, of a file and of the hub."""

import pytest
import timm
import torch
from dlcreg_timm.backbone import TimmBackbone

from dlcreg.errors import CheckpointError


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_efficientnet"])
@pytest.mark.parametrize("classes", [1000, 7])
def test_the_weights_of_a_classifier_load_from_a_file(tmp_path, name, classes):
    torch.manual_seed(1)
    classifier = timm.create_model(name, num_classes=classes).eval()
    torch.save(classifier.state_dict(), tmp_path / "classifier.pth")
    backbone = TimmBackbone(name, weights=str(tmp_path / "classifier.pth")).eval()
    size = classifier.pretrained_cfg["input_size"][1:]
    images = torch.rand(1, 3, *size)
    with torch.no_grad():
        expected = classifier.forward_intermediates(images, intermediates_only=True)[-1]
        torch.testing.assert_close(backbone(images)[0], expected)


def test_the_state_of_another_backbone_loads(tmp_path):
    torch.manual_seed(1)
    one = TimmBackbone("test_resnet")
    torch.save(one.state_dict(), tmp_path / "own.pth")
    other = TimmBackbone("test_resnet", weights=str(tmp_path / "own.pth"))
    for name, value in one.state_dict().items():
        assert torch.equal(other.state_dict()[name], value)


def test_weights_that_fit_less_than_the_network_are_refused(tmp_path):
    state = timm.create_model("test_resnet").state_dict()
    del state["layer1.0.conv1.weight"]
    torch.save(state, tmp_path / "part.pth")
    text = r'part.pth does not fit timm\'s test_resnet: (?s:.*)"layer1.0.conv1.weight"'
    with pytest.raises(CheckpointError, match=text):
        TimmBackbone("test_resnet", weights=str(tmp_path / "part.pth"))


def test_a_file_that_is_not_there_is_missed_before_anything_is_built(timm_backbone):
    with pytest.raises(CheckpointError, match=r"there is no file nowhere\.pth"):
        timm_backbone("resnet18", weights="nowhere.pth")


def test_a_network_without_weights_of_timm_is_told(timm_backbone):
    with pytest.raises(
        ValueError, match="weights='imagenet': timm has no weights for coatnet_0_224"
    ):
        timm_backbone("coatnet_0_224", weights="imagenet")


def test_without_a_network_the_error_says_how_to_go_on(monkeypatch, tmp_path):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    text = (
        r"weights of test_resnet cannot be downloaded \((?s:.*)set weights to its path, or to None"
    )
    with pytest.raises(CheckpointError, match=text):
        TimmBackbone("test_resnet", weights="imagenet")

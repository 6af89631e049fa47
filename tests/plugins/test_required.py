"""What a config says of the packages it needs comes before what they would have provided."""

from __future__ import annotations

import pytest

from dlcreg import ConfigError, build_model
from dlcreg.builder import check

MODEL = dict(
    backbone=dict(type="ResNet", depth=18),
    head=dict(type="MouseHead", codec=dict(type="GaussianHeatmap")),
)


def test_a_missing_package_is_told_and_not_the_names_that_it_would_provide():
    cfg = dict(required_plugins=["mouse-heads>=2"], model=MODEL)
    with pytest.raises(ConfigError) as error:
        build_model(cfg, num_keypoints=4)
    assert str(error.value) == (
        "required_plugins.0: package mouse-heads is not installed. "
        "Install it with: pip install 'mouse-heads>=2'"
    )


def test_other_mistakes_are_told_beside_a_missing_package():
    backbone = dict(type="ResNet", dept=18)
    cfg = dict(required_plugins="mouse-heads", model={**MODEL, "backbone": backbone})
    messages = [str(problem) for problem in check(cfg, open_data=False)]
    assert any("package mouse-heads is not installed" in text for text in messages)
    assert any("ResNet takes no 'dept'" in text for text in messages)
    assert not any("MouseHead" in text for text in messages)


def test_without_a_requirement_the_unknown_name_is_told():
    with pytest.raises(ConfigError, match="there is no head 'MouseHead'"):
        build_model(MODEL, num_keypoints=4)


def test_a_requirement_that_is_met_says_nothing(site):
    site("mouse-heads", "[dlcreg.heads]\n", version="2.1")
    cfg = dict(required_plugins=["mouse-heads>=2"], model=MODEL)
    with pytest.raises(ConfigError, match="there is no head 'MouseHead'"):
        build_model(cfg, num_keypoints=4)

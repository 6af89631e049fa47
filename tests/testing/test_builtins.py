"""Every built-in part passes the conformance kit, as a plug-in would."""

from __future__ import annotations

from dlcreg.testing import parametrize_with_checks

GAUSSIAN = dict(type="GaussianHeatmap", locref_std=7.2801)
PLATEAU = dict(type="PlateauHeatmap", radius=8.0)
SCORES = dict(heatmap=dict(type="BCELoss"), locref=dict(type="HuberLoss", weight=0.1))

PARTS = [
    ("backbones", "ResNet", dict(arguments=dict(depth=18, out_indices=(0, 1, 2, 3)))),
    ("backbones", "HRNet", dict(arguments=dict(width=4))),
    ("necks", "FPN", dict(arguments=dict(channels=8))),
    ("necks", "IdentityNeck"),
    ("heads", "HeatmapHead"),
    ("heads", "HeatmapHead", dict(arguments=dict(deconv_channels=(16,), codec=GAUSSIAN))),
    ("heads", "HeatmapHead", dict(arguments=dict(codec=PLATEAU, losses=SCORES))),
    ("codecs", "GaussianHeatmap"),
    ("codecs", "GaussianHeatmap", dict(arguments=dict(locref_std=7.2801, anchor="deeplabcut"))),
    ("codecs", "PlateauHeatmap"),
    ("codecs", "DarkHeatmap"),
    # HRNet and SimpleBaseline read a keypoint to the nearest cell of 4 px along x and y
    ("codecs", "MSRAHeatmap", dict(tolerance=3.0)),
    ("losses", "MSELoss"),
    ("losses", "BCELoss"),
    ("losses", "HuberLoss"),
    ("losses", "OHKMLoss"),
    ("losses", "SpatialCrossEntropyLoss"),
]
EXPECTED = {
    "codecs/DarkHeatmap": {
        "round_trip_at_borders": "smoothing with zeros around the map bends the blob near a "
        "border, as in the original"
    },
    "codecs/MSRAHeatmap": {
        "round_trip_at_borders": "at the outermost cells the original moves no quarter of a cell"
    },
}


@parametrize_with_checks(PARTS, EXPECTED)
def test_a_built_in_part_keeps_its_contract(check):
    check()

# BUCTD-preNet (Zhou et al., 2023) on an HRNet-W32: the condition as a picture, laid over the image.
#   python tools/train.py configs/buctd/prenet_w32_384x288.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/buctd.py"]
_zoo = dict(
    what="BUCTD-preNet on HRNet-W32, coloured conditions",
    paper="Zhou et al., 2023",
    load="buctd_prenet_w32_coco_colored_384x288",
)

model = dict(
    type="PoseModel",
    backbone=dict(
        type="PreNet",
        backbone=dict(type="HRNet", width=32, weights="imagenet"),
        encoder=dict(type="ColoredKeypoints"),
    ),
    head=dict(
        type="HeatmapHead",
        codec=dict(type="MSRAHeatmap", sigma=3.0),
        losses=dict(heatmap=dict(type="MSELoss", weight=0.5, reduction="mean")),
    ),
)
solver = dict(schedule=dict(type="MultiStepLR", milestones=[170, 200]), max_epochs=210)

# HRNet-W32 (Sun et al., 2019) on whole images, with Gaussians and location refinement at stride 4,
# learnt as in DeepLabCut 3 (Lauer et al., 2022).
#   python tools/train.py configs/hrnet/hrnet_w32_bottom_up.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/bottom_up_crops.py"]
_zoo = dict(what="HRNet-W32 on whole images, with location refinement", paper="Sun et al., 2019")

model = dict(
    type="PoseModel",
    backbone=dict(type="HRNet", width=32, weights="imagenet"),
    head=dict(
        type="HeatmapHead",
        codec=dict(type="GaussianHeatmap", sigma=2.0, locref_std=7.2801),
        losses=dict(heatmap=dict(type="MSELoss"), locref=dict(type="HuberLoss", weight=0.05)),
    ),
)
solver = dict(
    optimizer=dict(type="AdamW", lr=1e-4),
    schedule=dict(type="MultiStepLR", milestones=[90, 120]),
    max_epochs=200,
)

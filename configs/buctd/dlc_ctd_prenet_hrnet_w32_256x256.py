# DeepLabCut's BUCTD-preNet (Zhou et al., 2023) on an HRNet-W32, with location refinement. Its
# snapshots, with some parameters that never learn: dlcreg.load_published("dlc_ctd_...", FILE).
#   python tools/train.py configs/buctd/dlc_ctd_prenet_hrnet_w32_256x256.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/dlc_ctd.py"]
_zoo = dict(what="BUCTD-preNet of DeepLabCut on HRNet-W32", paper="Zhou et al., 2023")

model = dict(
    type="PoseModel",
    backbone=dict(
        type="PreNet",
        backbone=dict(type="HRNet", width=32, weights="imagenet", norm_eval=True),
        encoder=dict(type="StackedKeypoints"),
    ),
    head=dict(
        type="HeatmapHead",
        codec=dict(type="GaussianHeatmap", sigma=2.83, locref_std=7.2801),
        losses=dict(heatmap=dict(type="MSELoss"), locref=dict(type="HuberLoss", weight=0.05)),
    ),
)

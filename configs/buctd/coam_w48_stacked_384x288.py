# BUCTD-CoAM (Zhou et al., 2023) on an HRNet-W48, with a map a keypoint as the condition.
_base_ = "coam_w32_stacked_384x288.py"
_zoo = dict(
    what="BUCTD-CoAM on HRNet-W48, a map a keypoint as the condition",
    paper="Zhou et al., 2023",
    load="buctd_coam_w48_coco_stacked_384x288",
)

model = dict(backbone=dict(backbone=dict(width=48)))

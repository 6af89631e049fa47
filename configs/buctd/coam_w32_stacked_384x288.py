# BUCTD-CoAM (Zhou et al., 2023): a condition of one map a keypoint attends to the features of an
# HRNet-W32 before its third stage.
#   python tools/train.py configs/buctd/coam_w32_stacked_384x288.py --project DIR
_base_ = "prenet_w32_384x288.py"
_zoo = dict(
    what="BUCTD-CoAM on HRNet-W32, a map a keypoint as the condition",
    paper="Zhou et al., 2023",
    load="buctd_coam_w32_coco_stacked_384x288",
)

model = dict(backbone=dict(type="CoAM", encoder=dict(type="StackedKeypoints")))

# BUCTD-CoAM (Zhou et al., 2023) on an HRNet-W48, with coloured conditions.
_base_ = "coam_w32_colored_384x288.py"
_zoo = dict(
    what="BUCTD-CoAM on HRNet-W48, coloured conditions",
    paper="Zhou et al., 2023",
    published="OCHuman val AP 49.0 with conditions of CID, refined 3 times",
    source="README of BUCTD",
    load="buctd_coam_w48_coco_colored_384x288",
)

model = dict(backbone=dict(backbone=dict(width=48)))

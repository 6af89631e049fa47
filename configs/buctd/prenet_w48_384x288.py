# BUCTD-preNet (Zhou et al., 2023) on an HRNet-W48.
_base_ = "prenet_w32_384x288.py"
_zoo = dict(
    what="BUCTD-preNet on HRNet-W48, coloured conditions",
    paper="Zhou et al., 2023",
    published="COCO val AP 77.8 with conditions of PETR",
    source="README of BUCTD",
    load="buctd_prenet_w48_coco_colored_384x288",
)

model = dict(backbone=dict(backbone=dict(width=48)))

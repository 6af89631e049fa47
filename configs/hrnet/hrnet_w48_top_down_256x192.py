# HRNet-W48 (Sun et al., 2019) on instance crops.
_base_ = "hrnet_w32_top_down_256x192.py"
_zoo = dict(
    what="HRNet-W48 on instance crops",
    paper="Sun et al., 2019",
    published="COCO val AP 75.1",
    source="README of HRNet",
    load="hrnet_w48_256x192",
)

model = dict(backbone=dict(width=48))

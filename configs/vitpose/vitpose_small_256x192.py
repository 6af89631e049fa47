# ViTPose-S (Xu et al., 2022) on instance crops, from random weights: MAE has none of this size.
_base_ = "vitpose_base_256x192.py"
_zoo = dict(
    what="ViTPose-S on instance crops, from random weights",
    paper="Xu et al., 2022",
    published="COCO val AP 73.8",
    source="README of ViTPose",
    load="vitpose_small_256x192",
)

model = dict(backbone=dict(arch="small", drop_path=0.1, weights=None))
solver = dict(layer_decay=0.8)

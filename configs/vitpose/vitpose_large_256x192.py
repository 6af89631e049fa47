# ViTPose-L (Xu et al., 2022) on instance crops.
_base_ = "vitpose_base_256x192.py"
_zoo = dict(
    what="ViTPose-L on instance crops",
    paper="Xu et al., 2022",
    published="COCO val AP 78.3",
    source="README of ViTPose",
    load="vitpose_large_256x192",
)

model = dict(backbone=dict(arch="large", drop_path=0.5))
solver = dict(layer_decay=0.8)

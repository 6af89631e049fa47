# ViTPose-H (Xu et al., 2022) on instance crops.
_base_ = "vitpose_base_256x192.py"
_zoo = dict(
    what="ViTPose-H on instance crops",
    paper="Xu et al., 2022",
    published="COCO val AP 79.1",
    source="README of ViTPose",
    load="vitpose_huge_256x192",
)

model = dict(backbone=dict(arch="huge", drop_path=0.55))
solver = dict(layer_decay=0.85)

# SimpleBaseline (Xiao et al., 2018) with ResNet-101, on instance crops.
_base_ = "r50_256x192.py"
_zoo = dict(
    what="SimpleBaseline with ResNet-101 on instance crops",
    paper="Xiao et al., 2018",
    published="COCO val AP 71.4",
    source="README of HRNet",
    load="simplebaseline_r101_256x192",
)

model = dict(backbone=dict(depth=101))

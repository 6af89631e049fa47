# SimpleBaseline (Xiao et al., 2018) with ResNet-152, on instance crops.
_base_ = "r50_256x192.py"
_zoo = dict(
    what="SimpleBaseline with ResNet-152 on instance crops",
    paper="Xiao et al., 2018",
    published="COCO val AP 72.0",
    source="README of HRNet",
    load="simplebaseline_r152_256x192",
)

model = dict(backbone=dict(depth=152))

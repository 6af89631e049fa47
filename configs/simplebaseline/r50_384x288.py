# SimpleBaseline (Xiao et al., 2018) with ResNet-50, larger instance crops, with wider Gaussians.
_base_ = ["r50_256x192.py", "../_base_/top_down_384x288.py"]
_zoo = dict(
    what="SimpleBaseline with ResNet-50 on instance crops",
    paper="Xiao et al., 2018",
    published="COCO val AP 72.2",
    source="README of HRNet",
    load="simplebaseline_r50_384x288",
)

model = dict(head=dict(codec=dict(sigma=3.0)))

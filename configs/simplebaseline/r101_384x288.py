# SimpleBaseline (Xiao et al., 2018) with ResNet-101, larger instance crops, with wider Gaussians.
_base_ = ["r101_256x192.py", "../_base_/top_down_384x288.py"]
_zoo = dict(
    what="SimpleBaseline with ResNet-101 on instance crops",
    paper="Xiao et al., 2018",
    published="COCO val AP 73.6",
    source="README of HRNet",
    load="simplebaseline_r101_384x288",
)

model = dict(head=dict(codec=dict(sigma=3.0)))

# SimpleBaseline (Xiao et al., 2018) with ResNet-152, larger instance crops, with wider Gaussians.
_base_ = ["r152_256x192.py", "../_base_/top_down_384x288.py"]
_zoo = dict(
    what="SimpleBaseline with ResNet-152 on instance crops",
    paper="Xiao et al., 2018",
    published="COCO val AP 74.3",
    source="README of HRNet",
    load="simplebaseline_r152_384x288",
)

model = dict(head=dict(codec=dict(sigma=3.0)))

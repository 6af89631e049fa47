# SimpleBaseline (Xiao et al., 2018) with ResNet-101, on instance crops.
_base_ = "r50_256x192.py"

model = dict(backbone=dict(depth=101))

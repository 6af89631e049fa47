# SimpleBaseline (Xiao et al., 2018): ResNet-50 and three transposed convolutions on instance crops,
# learnt as its authors did on COCO (on 4 GPUs), who show it blue before red.
#   python tools/train.py configs/simplebaseline/r50_256x192.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/top_down.py"]
_zoo = dict(
    what="SimpleBaseline with ResNet-50 on instance crops",
    paper="Xiao et al., 2018",
    published="COCO val AP 70.4",
    source="README of HRNet",
    load="simplebaseline_r50_256x192",
)

model = dict(
    type="PoseModel",
    backbone=dict(type="ResNet", depth=50, weights="imagenet"),
    head=dict(
        type="HeatmapHead",
        deconv_channels=(256, 256, 256),
        codec=dict(type="MSRAHeatmap", sigma=2.0),
        losses=dict(heatmap=dict(type="MSELoss", weight=0.5, reduction="mean")),
    ),
    channel_order="BGR",
)
solver = dict(schedule=dict(type="MultiStepLR", milestones=[90, 120]), max_epochs=140)

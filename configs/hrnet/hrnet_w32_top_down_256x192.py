# HRNet-W32 (Sun et al., 2019) on instance crops, learnt as its authors did on COCO (on 4 GPUs).
#   python tools/train.py configs/hrnet/hrnet_w32_top_down_256x192.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/top_down.py"]
_zoo = dict(
    what="HRNet-W32 on instance crops",
    paper="Sun et al., 2019",
    published="COCO val AP 74.4",
    source="README of HRNet",
    load="hrnet_w32_256x192",
)

model = dict(
    type="PoseModel",
    backbone=dict(type="HRNet", width=32, weights="imagenet"),
    head=dict(
        type="HeatmapHead",
        codec=dict(type="MSRAHeatmap", sigma=2.0),
        losses=dict(heatmap=dict(type="MSELoss", weight=0.5, reduction="mean")),
    ),
)
solver = dict(schedule=dict(type="MultiStepLR", milestones=[170, 200]), max_epochs=210)

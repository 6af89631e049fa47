# TransPose-R-A3 (Yang et al., 2021): the first half of a ResNet-50 and 3 layers of a transformer's
# encoder on instance crops, learnt as its authors did on COCO (28 crops a GPU).
#   python tools/train.py configs/transpose/transpose_r_a3_256x192.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/top_down.py"]
_zoo = dict(
    what="TransPose-R-A3 on instance crops",
    paper="Yang et al., 2021",
    published="COCO val AP 71.7",
    source="README of TransPose",
    load="transpose_r_a3_256x192",
)

model = dict(
    type="PoseModel",
    backbone=dict(type="ResNet", depth=50, out_indices=(1,), weights="imagenet"),
    neck=dict(
        type="TransformerNeck", channels=256, num_layers=3, num_heads=8, hidden_channels=1024
    ),
    head=dict(
        type="HeatmapHead",
        deconv_channels=(256,),
        codec=dict(type="DarkHeatmap", sigma=2.0, square_cells=True),
        losses=dict(heatmap=dict(type="MSELoss", weight=0.5, reduction="mean")),
    ),
)
data = dict(batch_size=28)
solver = dict(
    optimizer=dict(lr=1e-4), schedule=dict(type="CosineAnnealingLR", eta_min=1e-5), max_epochs=230
)

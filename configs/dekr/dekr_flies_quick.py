# DEKR on HRNet-W18 of three stages, with maps of stride 8 (deformable convolutions are slow on a
# CPU), from random weights: two flies from COCO files (shared/data beside the checkout).
#   dlcreg train configs/dekr/dekr_flies_quick.py
_base_ = ["../_base_/runtime.py", "../_base_/flies.py"]
_zoo = dict(
    what="DEKR on HRNet-W18 with maps of stride 8, from random weights, on a CPU",
    paper="Geng et al., 2021",
    keypoints=13,
    measured="two flies: 10.6 px, OKS AP 0.69",
)

model = dict(
    type="PoseModel",
    backbone=dict(type="HRNet", width=18, stages=3, out_indices=(1, 2)),
    neck=dict(type="UpsampleConcat"),
    head=dict(
        type="DEKRHead",
        offset_blocks=1,
        codec=dict(type="DEKROffsets", sigma=1.0, centre_sigma=1.0, radius=2.0, num_individuals=2),
        losses=dict(
            heatmap=dict(type="SpatialCrossEntropyLoss"),
            offset=dict(type="HuberLoss", delta=1 / 9, weight=30.0),
        ),
    ),
)
solver = dict(max_epochs=50)

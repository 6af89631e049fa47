# HRNet-W18 of three stages with a feature pyramid, part affinity fields and a head that tells the
# two flies apart, from random weights, on a CPU; from COCO files (shared/data beside the checkout).
#   dlcreg train configs/hrnet/hrnet_flies_paf_quick.py
_base_ = ["../_base_/runtime.py", "../_base_/flies_paf.py"]
_zoo = dict(
    what="HRNet-W18 with part affinity fields and identities, from random weights, on a CPU",
    keypoints=13,
    measured="two flies: 10.2 px, OKS AP 0.57, identity 1.00",
)

model = dict(
    type="PoseModel",
    backbone=dict(type="HRNet", width=18, stages=3, out_indices=(0, 1, 2)),
    neck=dict(type="FPN", channels=64),
    head=dict(pose=dict(type="HeatmapHead")),
)
solver = dict(metrics=[*_base_.solver.metrics, dict(type="IdentityAccuracy")])

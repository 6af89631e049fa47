# DLCRNet with ResNet-18 and maps of stride 4, and a head that tells the two flies apart, from
# random weights, on a CPU; from COCO files (shared/data beside the checkout).
#   dlcreg train configs/dlcrnet/dlcrnet_flies_quick.py
_base_ = ["../_base_/runtime.py", "../_base_/flies_paf.py"]
_zoo = dict(
    what="DLCRNet with ResNet-18 and a head of identities, from random weights, on a CPU",
    paper="Lauer et al., 2022",
    keypoints=13,
    measured="two flies: 9.8 px, OKS AP 0.54, identity 0.55",
)

model = dict(
    type="PoseModel",
    backbone=dict(type="DLCRNet", depth=18, upsampled_channels=128, upsampled_norm=True),
    head=dict(
        pose=dict(type="DLCRNetHead", feature_channels=64), identity=dict(deconv_channels=(64,))
    ),
)
solver = dict(metrics=[*_base_.solver.metrics, dict(type="IdentityAccuracy")])

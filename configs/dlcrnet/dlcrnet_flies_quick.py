# DLCRNet with ResNet-18 and maps of stride 4, and a head that tells the two flies apart, from
# random weights, on a CPU; from COCO files (shared/data beside the checkout).
#   dlcreg train configs/dlcrnet/dlcrnet_flies_quick.py
_base_ = ["../_base_/runtime.py", "../_base_/flies_paf.py"]
_zoo = dict(
    what="DLCRNet with ResNet-18 and a head of identities, from random weights, on a CPU",
    paper="Lauer et al., 2022",
    keypoints=13,
    measured="two flies: 12.2 px, OKS AP 0.49, identity 0.70",
)

# One convolution of the 768 channels of stride 16 tells who is who. Behind transposed ones, of the
# backbone or of its own, and 128 or 64 channels, that head stays at chance.
model = dict(
    type="PoseModel",
    backbone=dict(type="DLCRNet", depth=18),
    head=dict(
        pose=dict(type="DLCRNetHead", feature_channels=64, num_deconvs=1),
        identity=dict(
            upsample=4,
            final_kernel=3,
            losses=dict(identity=dict(weight=30.0)),  # beside the gradients of the stages
        ),
    ),
)
solver = dict(
    metrics=[*_base_.solver.metrics, dict(type="IdentityAccuracy")],
    channels_last=False,  # a fifth faster so on a CPU
)

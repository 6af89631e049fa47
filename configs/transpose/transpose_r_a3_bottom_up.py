# TransPose-R-A3 (Yang et al., 2021) on whole images of one animal, with Gaussians and location
# refinement at stride 4, learnt as in DeepLabCut 3 (Lauer et al., 2022).
#   python tools/train.py configs/transpose/transpose_r_a3_bottom_up.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/bottom_up_crops.py"]
_zoo = dict(what="TransPose-R-A3 with location refinement", paper="Yang et al., 2021")

model = dict(
    type="PoseModel",
    backbone=dict(type="ResNet", depth=50, out_indices=(1,), weights="imagenet"),
    neck=dict(
        type="TransformerNeck", channels=256, num_layers=3, num_heads=8, hidden_channels=1024
    ),
    head=dict(
        type="HeatmapHead",
        deconv_channels=(256,),
        codec=dict(type="GaussianHeatmap", sigma=2.0, locref_std=7.2801),
        losses=dict(heatmap=dict(type="MSELoss"), locref=dict(type="HuberLoss", weight=0.05)),
    ),
)
solver = dict(
    optimizer=dict(type="AdamW", lr=1e-4),
    schedule=dict(type="MultiStepLR", milestones=[90, 120]),
    max_epochs=200,
)

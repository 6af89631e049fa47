# DeepLabCut's AnimalTokenPose on instance crops, a TokenPose (Li et al., 2021) on all of HRNet-W32.
# In DeepLabCut 3.0 its layers are 3 channels wide by mistake, and the first transformer does not
# repeat the positions: dlcreg.load_published("dlc_animaltokenpose_base", FILE) reads such weights.
#   python tools/train.py configs/tokenpose/animaltokenpose_base.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/top_down.py"]
_zoo = dict(what="AnimalTokenPose of DeepLabCut on instance crops", paper="Li et al., 2021")

_crop = dict(type="CropInstance", size=(256, 256))
_noise = [dict(type="GaussNoise", std_range=(0.0, 0.05), p=0.5), dict(type="MotionBlur", p=0.5)]

model = dict(
    type="PoseModel",
    backbone=dict(type="HRNet", width=32, weights="imagenet", norm_eval=True),
    head=dict(
        type="TokenPoseHead",
        patch_size=(4, 4),
        depth=(6, 6, 6),
        map_width=None,
        codec=dict(type="PlateauHeatmap", locref_std=None),
        losses=dict(heatmap=dict(type="BCELoss")),
    ),
)
data = dict(
    train=dict(
        transform=[
            _crop,
            dict(type="Affine", rotation=30, p=0.5),
            dict(type="Albumentations", transform=_noise),
        ]
    ),
    val=dict(transform=[_crop]),
    test=dict(transform=[_crop]),
    batch_size=8,
)
solver = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=1e-4),
    schedule=dict(type="MultiStepLR", milestones=[160, 190]),
    max_epochs=200,
)
evaluation = dict(flip_test=False)

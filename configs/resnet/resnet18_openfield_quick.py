# ResNet-18 with a feature pyramid, from random weights, small enough for a laptop's CPU.
# For one animal in pictures of about 640 x 480, such as DeepLabCut's open field:
#   dlcreg train configs/resnet/resnet18_openfield_quick.py --project PROJECT
_base_ = ["../_base_/runtime.py", "../_base_/bottom_up.py"]
_zoo = dict(
    what="ResNet-18 with a feature pyramid, from random weights, on a CPU",
    keypoints=4,
    measured="open field: 2.57 px",
    options="--project ../shared/data/openfield-Pranav-2018-10-30 "
    "--split ../shared/data/splits/openfield_80.json --seed 0",
)

_shrink = dict(type="Resize", scale=0.75)
_train = [
    _shrink,
    dict(type="Flip"),
    dict(type="Affine", rotation=30, scale=(0.8, 1.2)),
    dict(type="Crop", size=(224, 224), position="keypoint"),
    dict(
        type="Albumentations",
        transform=[
            dict(type="RandomBrightnessContrast", brightness_limit=0.15, contrast_limit=0.3, p=0.8),
            dict(type="GaussNoise", std_range=(0.01, 0.04), p=0.3),
            dict(type="GaussianBlur", blur_limit=0, sigma_limit=(0.5, 1.5), p=0.2),
        ],
    ),
]

model = dict(
    type="PoseModel",
    backbone=dict(type="ResNet", depth=18, out_indices=(0, 1, 2, 3)),
    neck=dict(type="FPN", channels=64),
    head=dict(
        type="HeatmapHead",
        codec=dict(type="GaussianHeatmap", sigma=1.0),
        losses=dict(heatmap=dict(type="SpatialCrossEntropyLoss")),
    ),
)
_measure = dict(transform=[_shrink])
data = dict(train=dict(transform=_train), val=_measure, test=_measure, batch_size=3)
solver = dict(
    optimizer=dict(type="AdamW", lr=1.5e-3),
    schedule=dict(type="OneCycleLR", eta_max=1.5e-3, pct_start=0.05, by_epoch=False),
    max_epochs=60,
    ema=0.01,
    precision="auto",
    channels_last=True,
)
evaluation = dict(flip_test=True)

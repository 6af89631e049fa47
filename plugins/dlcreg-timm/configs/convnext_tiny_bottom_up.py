# ConvNeXt-T (Liu et al., 2022) with FPN on whole images, Gaussians and location refinement at
# stride 4, from ImageNet weights.
#   dlcreg train convnext_tiny_bottom_up.py --project DIR
_dataset = dict(type="PoseDataset", project=dict(root="."))

required_plugins = ["dlcreg-timm>=0.1"]
model = dict(
    type="PoseModel",
    backbone=dict(
        type="TimmBackbone",
        name="convnext_tiny",
        weights="imagenet",
        out_indices=(0, 1, 2, 3),
        drop_path_rate=0.1,
    ),
    neck=dict(type="FPN", channels=128),
    head=dict(
        type="HeatmapHead",
        codec=dict(type="GaussianHeatmap", sigma=2.0, locref_std=7.2801),
        losses=dict(heatmap=dict(type="BCELoss"), locref=dict(type="HuberLoss", weight=0.05)),
    ),
)
data = dict(
    train=dict(
        **_dataset,
        mode="train",
        transform=[
            dict(type="Affine", rotation=30, scale=(0.5, 1.25), p=0.5),
            dict(type="Crop", size=(448, 448), position="keypoint", max_shift=0.1),
        ],
    ),
    val=dict(**_dataset, mode="val"),
    test=dict(**_dataset, mode="test"),
    batch_size=8,
    num_workers=4,
)
solver = dict(
    optimizer=dict(type="AdamW", lr=2e-4, weight_decay=0.05),
    no_weight_decay=("norm", "bias"),
    clip_grad=1.0,
    schedule=[
        dict(type="LinearLR", start_factor=0.01, by_epoch=False, end=200),
        dict(type="CosineAnnealingLR", T_max=90),
    ],
    max_epochs=90,
    metrics=[dict(type="PixelError"), dict(type="PCK"), dict(type="CocoOKS")],
    checkpoint_interval=10,
    seed=42,
)

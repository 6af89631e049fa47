# A ResNet-18 with FPN, trained by AdamW without a schedule (Defazio et al., 2024): stop whenever
# you like, the weights are always those of a run that was to end there.
#   dlcreg train resnet18_schedulefree.py --project DIR
_dataset = dict(type="PoseDataset", project=dict(root="."))
_resize = dict(type="Resize", longest=320)

required_plugins = ["dlcreg-schedulefree>=0.1"]
model = dict(
    type="PoseModel",
    backbone=dict(type="ResNet", depth=18, out_indices=(0, 1, 2, 3)),
    neck=dict(type="FPN", channels=64),
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
        transform=[_resize, dict(type="Affine", rotation=30, scale=(0.75, 1.25))],
    ),
    val=dict(**_dataset, mode="val", transform=[_resize]),
    test=dict(**_dataset, mode="test", transform=[_resize]),
    batch_size=8,
)
solver = dict(
    optimizer=dict(type="AdamWScheduleFree", lr=2.5e-3, warmup_steps=100),
    max_epochs=60,
    metrics=[dict(type="PixelError"), dict(type="PCK")],
    checkpoint_interval=10,
    seed=42,
)

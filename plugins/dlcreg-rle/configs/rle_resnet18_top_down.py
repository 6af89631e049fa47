# A ResNet-18 that regresses coordinates from crops of each animal, by residual log-likelihood
# estimation (Li et al., 2021). Small enough for a laptop's CPU.
#   dlcreg train rle_resnet18_top_down.py --project DIR
# With a network, or a file of weights, weights="imagenet" learns faster and better.
_dataset = dict(type="PoseDataset", project=dict(root="."), view="instance")
_crop = dict(type="CropInstance", size=(96, 96))

required_plugins = ["dlcreg-rle>=0.1"]
model = dict(
    type="PoseModel",
    backbone=dict(type="ResNet", depth=18, weights=None),
    head=dict(
        type="RLEHead", codec=dict(type="RLECodec"), losses=dict(keypoints=dict(type="RLELoss"))
    ),
)
data = dict(
    train=dict(
        **_dataset,
        mode="train",
        transform=[_crop, dict(type="Flip"), dict(type="Affine", rotation=180, scale=(0.8, 1.2))],
    ),
    val=dict(**_dataset, mode="val", transform=[_crop]),
    test=dict(**_dataset, mode="test", transform=[_crop]),
    batch_size=8,
)
solver = dict(
    optimizer=dict(type="AdamW", lr=1e-3),
    schedule=dict(type="OneCycleLR", eta_max=1e-3, by_epoch=False),
    max_epochs=60,
    clip_grad=10.0,
    metrics=[dict(type="PixelError"), dict(type="PCK")],
    checkpoint_interval=20,
    seed=42,
)
evaluation = dict(flip_test=True)

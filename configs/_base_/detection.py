# Boxes of all animals of a DeepLabCut project, learnt as DeepLabCut 3 learns them, best validation
# first. Name the project with --project DIR, or in data.*.project of your own config.
_margin = 20  # pixels around the keypoints of an animal
_data = dict(type="PoseDataset", project=dict(root="."), box_margin=_margin)

data = dict(
    train=dict(
        **_data,
        mode="train",
        transform=[
            dict(type="Flip"),
            dict(type="Affine", rotation=30, translate=0.07),
            dict(type="KeypointBoxes", margin=_margin),
        ],
    ),
    val=dict(**_data, mode="val"),
    test=dict(**_data, mode="test"),
    num_workers=4,
)
solver = dict(
    optimizer=dict(type="AdamW", lr=1e-4),
    schedule=dict(type="MultiStepLR", milestones=[160]),
    max_epochs=250,
    metrics=[dict(type="BoxAP", margin=_margin)],
    val_interval=10,
)

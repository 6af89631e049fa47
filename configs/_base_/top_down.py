# A DeepLabCut project as instance crops: each animal cut out by its box, 256 high and 192 wide, as
# the human pose models are trained (Xiao et al., 2018). Several animals in a picture are no matter.
# Name the project with --project DIR, or in data.*.project of your own config.
_crop = dict(type="CropInstance", size=(256, 192))
_data = dict(type="PoseDataset", project=dict(root="."), view="instance")

data = dict(
    train=dict(
        **_data,
        mode="train",
        transform=[
            _crop,
            dict(type="Flip"),
            dict(type="Affine", scale=(0.65, 1.35)),
            dict(type="Affine", rotation=45, p=0.6),
        ],
    ),
    val=dict(**_data, mode="val", transform=[_crop]),
    test=dict(**_data, mode="test", transform=[_crop]),
    batch_size=32,
    num_workers=4,
)
solver = dict(optimizer=dict(type="Adam", lr=1e-3))
evaluation = dict(flip_test=True)

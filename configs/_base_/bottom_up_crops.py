# Whole images to test on, crops of 448 around some keypoint to train on: the augmentation of
# DeepLabCut 3 (Lauer et al., 2022).
_base_ = "bottom_up.py"

data = dict(
    train=dict(
        transform=[
            dict(type="Affine", rotation=30, scale=(0.5, 1.25), p=0.5),
            dict(type="Crop", size=(448, 448), position="keypoint", max_shift=0.1),
            dict(
                type="Albumentations",
                transform=[
                    dict(type="GaussNoise", std_range=(0.0, 0.05), p=0.5),
                    dict(type="MotionBlur", p=0.5),
                ],
            ),
        ]
    ),
    batch_size=8,
    num_workers=4,
)

# Two flies in 80 pictures of 1024 x 1024, from COCO files (shared/data beside the checkout): the
# first 60 by time are to learn from, the last 20 to measure on, at three eighths of their size.
# Files elsewhere: --cfg-options data.train.annotation_file=A.json data.test.annotation_file=B.json
_coco = "../shared/data/flies-sleap-2020-01-01/coco"
_data = dict(type="CocoDataset", individual_names=["female", "male"])
_shrink = dict(type="Resize", scale=0.375)

data = dict(
    train=dict(
        **_data,
        annotation_file=f"{_coco}/keypoints_train.json",
        mode="train",
        transform=[
            _shrink,
            dict(type="Flip"),
            dict(type="Affine", rotation=180, scale=(0.95, 1.05)),
            dict(type="Crop", size=(96, 96), position="keypoint", max_shift=0.2),
            dict(
                type="Albumentations",
                transform=[
                    dict(type="RandomBrightnessContrast", brightness_limit=0.1, p=0.8),
                    dict(type="GaussNoise", std_range=(0.01, 0.03), p=0.3),
                ],
            ),
        ],
    ),
    val=None,  # 60 images are to learn from; the last epoch is the result
    test=dict(
        **_data, annotation_file=f"{_coco}/keypoints_val.json", mode="test", transform=[_shrink]
    ),
    batch_size=4,
)
solver = dict(
    optimizer=dict(type="AdamW", lr=2e-3),
    schedule=dict(type="OneCycleLR", eta_max=2e-3, pct_start=0.1, by_epoch=False),
    max_epochs=60,
    ema=0.01,
    channels_last=True,
)

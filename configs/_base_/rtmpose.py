# How RTMPose is trained (Jiang et al., 2023): at first with strong augmentation and a constant
# learning rate, then with one that falls as a cosine, and in the last epochs with crops that are
# moved less. Its authors have batches of 1024 and a learning rate of 4e-3; here are 64 crops, and a
# rate that falls with the square root of the batch.
_base_ = "top_down.py"
_pixels = [
    dict(type="HueSaturationValue"),
    dict(type="Blur", p=0.1),
    dict(type="MedianBlur", p=0.1),
]
_hole = dict(
    type="CoarseDropout",
    num_holes_range=(1, 1),
    hole_height_range=(0.2, 0.4),
    hole_width_range=(0.2, 0.4),
)
_strong = [
    dict(type="Flip"),
    dict(type="Affine", scale=(0.71, 1.67)),  # boxes of 0.6 to 1.4 times the size
    dict(type="Affine", rotation=80, p=0.6),
    dict(type="Affine", translate=0.16, p=0.3),
    dict(type="Albumentations", transform=[*_pixels, dict(_hole, p=1.0)]),
]
_weak = [
    dict(type="Flip"),
    dict(type="Affine", scale=(0.8, 1.33)),
    dict(type="Affine", rotation=60, p=0.6),
    dict(type="Albumentations", transform=[*_pixels, dict(_hole, p=0.5)]),
]
_crop = _base_.data.val.transform[0]

data = dict(train=dict(transform=[_crop, *_strong]), batch_size=64)
solver = dict(
    optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.05, _delete_=True),
    no_weight_decay=["norm", "bias"],
    schedule=[
        dict(type="LinearLR", start_factor=1e-5, end=1000, by_epoch=False),
        dict(type="CosineAnnealingLR", eta_min_ratio=0.05, begin=-210, convert_to_iter_based=True),
    ],
    max_epochs=420,
    ema=2e-4,
    hooks=[dict(type="PipelineSwitchHook", switch_epoch=-30, transform=[_crop, *_weak])],
)

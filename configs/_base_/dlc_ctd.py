# Conditioned instance crops as DeepLabCut 3 has them, 256 x 256: the extent of the condition with
# 25 pixels around, and errors of the same rates for all keypoints.
_base_ = "top_down.py"

_box = [
    dict(type="ConditionBox", margin=25),
    dict(type="CropInstance", size=(256, 256), padding=1.0),
]
_test = [dict(type="GenerativeCondition", p=0.0, rates="deeplabcut"), *_box]
_noise = [dict(type="MotionBlur", p=0.5), dict(type="GaussNoise", std_range=(0.0, 0.05), p=0.5)]

data = dict(
    train=dict(
        transform=[
            dict(type="GenerativeCondition", rates="deeplabcut"),
            *_box,
            dict(type="Affine", rotation=30, p=0.5),
            dict(type="Albumentations", transform=_noise),
        ]
    ),
    val=dict(transform=_test),
    test=dict(transform=_test),
    batch_size=8,
)
solver = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=1e-4),
    schedule=dict(type="MultiStepLR", milestones=[160, 190]),
    max_epochs=200,
)
evaluation = dict(flip_test=False)  # it is trained on no mirror images

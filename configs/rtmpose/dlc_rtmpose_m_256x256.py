# RTMPose-m (Jiang et al., 2023) as DeepLabCut has it, on square instance crops.
#   python tools/train.py configs/rtmpose/dlc_rtmpose_m_256x256.py --project DIR
_base_ = "rtmpose_m_256x192.py"
_zoo = dict(
    what="RTMPose-m of DeepLabCut on instance crops",
    paper="Jiang et al., 2023",
    load="dlc_rtmpose_m",
)

_crop = dict(type="CropInstance", size=(256, 256), padding=1.0)
_moved = [
    dict(type="Affine", translate=0.16, p=0.3),
    dict(type="Affine", scale=(0.8, 1.33)),
    dict(type="Affine", rotation=30, p=0.5),
    dict(
        type="Albumentations",
        transform=[
            dict(type="MotionBlur", p=0.5),
            dict(type="GaussNoise", std_range=(0.0, 0.05), p=0.5),
        ],
    ),
]

data = dict(
    train=dict(box_margin=20, transform=[_crop, *_moved]),
    val=dict(box_margin=20, transform=[_crop]),
    test=dict(box_margin=20, transform=[_crop]),
    batch_size=32,
)
solver = dict(
    optimizer=dict(weight_decay=0.01),
    no_weight_decay=[],
    schedule=[
        dict(type="LinearLR", start_factor=0.001, end=5),
        dict(type="CosineAnnealingLR", eta_min=5e-5, begin=-200),
    ],
    max_epochs=400,
    ema=None,
    hooks=[],
)
evaluation = dict(flip_test=False)  # it is trained on no mirror images

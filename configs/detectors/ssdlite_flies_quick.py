# SSDLite from random weights: two flies from COCO files (shared/data beside the checkout), at less
# than a third of their size and turned any way. Group normalisation, for batches are small.
#   dlcreg train configs/detectors/ssdlite_flies_quick.py
_base_ = ["../_base_/runtime.py", "../_base_/flies.py"]
_zoo = dict(
    what="SSDLite of half the width, from random weights, on a CPU",
    paper="Howard et al., 2019",
    keypoints=13,
    measured="two flies: box AP 0.58, AP50 1.00",
)
_size = dict(type="Resize", size=(320, 320))

model = dict(
    type="DetectionModel",
    detector=dict(type="SSDLite", size=(320, 320), box_sizes=(0.1, 0.5), width=0.5, norm="group"),
)
data = dict(
    train=dict(
        transform=[
            _size,
            dict(type="Flip"),
            dict(type="Affine", rotation=180, scale=(0.9, 1.1), translate=0.1),
            dict(
                type="Albumentations",
                transform=[
                    dict(type="RandomBrightnessContrast", brightness_limit=0.1, p=0.8),
                    dict(type="GaussNoise", std_range=(0.01, 0.03), p=0.3),
                ],
            ),
            dict(type="KeypointBoxes", margin=3.125),
        ]
    ),
    test=dict(transform=[_size]),
)
solver = dict(
    optimizer=dict(type="AdamW", lr=2e-3),
    schedule=dict(type="OneCycleLR", eta_max=2e-3, pct_start=0.1, by_epoch=False),
    max_epochs=60,
    metrics=[dict(type="BoxAP")],
)

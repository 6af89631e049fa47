# DLCRNet_ms5 of the paper (Lauer et al., 2022), for several animals: maps of stride 8, learnt on
# crops of 400 as in DeepLabCut's TensorFlow engine. The ResNet strides where its weights are from.
#   python tools/train.py configs/dlcrnet/dlcrnet_stride8.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/bottom_up_crops.py", "../_base_/paf.py"]
_zoo = dict(
    what="DLCRNet for several animals, maps of stride 8",
    paper="Lauer et al., 2022",
    load="dlcrnet_ms5_tensorflow_stride8",
)

model = dict(
    type="PoseModel",
    backbone=dict(type="DLCRNet", weights="imagenet", norm_eval=True),
    head=dict(type="DLCRNetHead", losses=dict(paf=dict(type="MSELoss"))),
)
data = dict(
    train=dict(
        transform=[
            dict(type="Affine", scale=(0.4, 1.0)),
            dict(type="Affine", rotation=25, p=0.5),
            dict(type="Crop", size=(400, 400), position="keypoint", max_shift=0.4),
            dict(
                type="Albumentations",
                transform=[
                    dict(type="Equalize", p=0.1),
                    dict(type="CLAHE", p=0.1),
                    dict(type="Emboss", p=0.1),
                ],
            ),
        ]
    )
)
solver = dict(
    optimizer=dict(type="Adam", lr=1e-4),
    schedule=[  # 5e-5 from step 7500 on, 1e-5 from step 12000 on
        dict(type="MultiStepLR", milestones=[7500], gamma=0.5, by_epoch=False),
        dict(type="MultiStepLR", milestones=[12000], gamma=0.2, by_epoch=False),
    ],
    max_epochs=400,  # 200000 steps there, whatever the number of images
)

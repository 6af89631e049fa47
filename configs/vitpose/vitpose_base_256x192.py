# ViTPose-B (Xu et al., 2022) on instance crops, learnt as its authors did on COCO (on 8 GPUs).
#   python tools/train.py configs/vitpose/vitpose_base_256x192.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/top_down.py"]
_zoo = dict(
    what="ViTPose-B on instance crops",
    paper="Xu et al., 2022",
    published="COCO val AP 75.8",
    source="README of ViTPose",
    load="vitpose_base_256x192",
)

_crop = dict(type="CropInstance", size=(256, 192), align="udp")

model = dict(
    type="PoseModel",
    backbone=dict(type="ViT", arch="base", drop_path=0.3, weights="mae"),
    head=dict(
        type="HeatmapHead",
        deconv_channels=(256, 256),
        codec=dict(type="UDPHeatmap", sigma=2.0),
        losses=dict(heatmap=dict(type="MSELoss", weight=0.5, reduction="mean")),
    ),
)
data = dict(
    train=dict(
        transform=[
            _crop,
            dict(type="Flip"),
            dict(type="Affine", scale=(0.5, 1.5)),
            dict(type="Affine", rotation=40, p=0.6),
        ]
    ),
    val=dict(transform=[_crop]),
    test=dict(transform=[_crop]),
    batch_size=64,
)
solver = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=5e-4, weight_decay=0.1),
    param_groups={"backbone.pos_embed": dict(decay_mult=0.0)},
    no_weight_decay=("norm", "bias"),
    layer_decay=0.75,
    clip_grad=1.0,
    schedule=[
        dict(type="LinearLR", start_factor=0.001, by_epoch=False, end=500),
        dict(type="MultiStepLR", milestones=[170, 200]),
    ],
    max_epochs=210,
)

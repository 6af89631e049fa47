# DEKR (Geng et al., 2021) on HRNet-W32: whole images with any number of animals, each found by its
# centre and regressed from there; no assembly. Crops and learning as the original's on COCO.
#   python tools/train.py configs/dekr/dekr_w32.py --project DIR
# DeepLabCut's variant: codec=dict(sigma=2.125, radius=4.25, normalise_by='area', window=5,
# read='cell', anchor='deeplabcut'), AdamW 5e-4 with the same milestones, 200 epochs, batch 8.
_base_ = ["../_base_/runtime.py", "../_base_/bottom_up.py"]
_zoo = dict(
    what="DEKR on HRNet-W32, any number of animals",
    paper="Geng et al., 2021",
    load="dekr_w32_coco_512",
    published="COCO val AP 68.0",
    source="README of DEKR",
)

model = dict(
    type="PoseModel",
    backbone=dict(type="HRNet", width=32, out_indices=(0, 1, 2, 3), weights="imagenet"),
    neck=dict(type="UpsampleConcat"),
    head=dict(
        type="DEKRHead",
        heatmap_channels=32,
        codec=dict(type="DEKROffsets"),
        losses=dict(
            heatmap=dict(type="MSELoss", reduction="mean"),
            # smooth L1 with beta 1/9 is Huber's loss times 9; its factor is 0.03
            offset=dict(type="HuberLoss", delta=1 / 9, weight=0.03 * 9),
        ),
    ),
)
data = dict(
    train=dict(
        transform=[
            dict(type="Affine", rotation=30, scale=(0.75, 1.5)),
            dict(type="Flip"),
            dict(type="Crop", size=(512, 512), position="keypoint", max_shift=0.4),
        ]
    ),
    batch_size=10,
    num_workers=4,
)
solver = dict(
    optimizer=dict(type="Adam", lr=1e-3),
    schedule=dict(type="MultiStepLR", milestones=[90, 120]),
    max_epochs=140,
)
evaluation = dict(flip_test=True)

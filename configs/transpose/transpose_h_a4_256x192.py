# TransPose-H-A4 (Yang et al., 2021), on three stages of an HRNet-W48, on instance crops.
_base_ = "transpose_h_s_256x192.py"
_zoo = dict(
    what="TransPose-H-A4 on instance crops",
    paper="Yang et al., 2021",
    published="COCO val AP 75.3",
    source="README of TransPose",
    load="transpose_h_a4_256x192",
)

model = dict(backbone=dict(width=48), neck=dict(channels=96, hidden_channels=192))
data = dict(batch_size=14)

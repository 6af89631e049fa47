# TransPose-H-A6 (Yang et al., 2021) on instance crops.
_base_ = "transpose_h_a4_256x192.py"
_zoo = dict(
    what="TransPose-H-A6 on instance crops",
    paper="Yang et al., 2021",
    published="COCO val AP 75.8",
    source="README of TransPose",
    load="transpose_h_a6_256x192",
)

model = dict(neck=dict(num_layers=6))

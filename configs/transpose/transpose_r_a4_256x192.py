# TransPose-R-A4 (Yang et al., 2021) on instance crops.
_base_ = "transpose_r_a3_256x192.py"
_zoo = dict(
    what="TransPose-R-A4 on instance crops",
    paper="Yang et al., 2021",
    published="COCO val AP 72.6",
    source="README of TransPose",
    load="transpose_r_a4_256x192",
)

model = dict(neck=dict(num_layers=4))
data = dict(batch_size=20)

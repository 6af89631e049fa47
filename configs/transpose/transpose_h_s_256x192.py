# TransPose-H-S (Yang et al., 2021): three stages of an HRNet-W32 and 4 layers of a transformer's
# encoder at stride 4, on instance crops, learnt as its authors did on COCO (16 crops a GPU).
_base_ = "transpose_r_a3_256x192.py"
_zoo = dict(
    what="TransPose-H-S on instance crops",
    paper="Yang et al., 2021",
    published="COCO val AP 74.2",
    source="README of TransPose",
    load="transpose_h_s_256x192",
)

model = dict(
    backbone=dict(_delete_=True, type="HRNet", width=32, stages=3, weights="imagenet"),
    neck=dict(channels=64, num_layers=4, num_heads=1, hidden_channels=128),
    head=dict(deconv_channels=()),
)
data = dict(batch_size=16)
solver = dict(max_epochs=240)

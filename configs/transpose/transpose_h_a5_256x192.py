# TransPose-H with 5 layers, of the authors' code (Yang et al., 2021), on instance crops.
_base_ = "transpose_h_a4_256x192.py"
_zoo = dict(
    what="TransPose-H-A5 on instance crops",
    paper="Yang et al., 2021",
    load="transpose_h_a5_256x192",
)

model = dict(neck=dict(num_layers=5))

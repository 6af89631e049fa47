# TransPose-R-A3 (Yang et al., 2021) as published but from random weights, on whole pictures of
# about 640 x 480 at 0.4 of their size (192 x 256, its own input), for one animal, on a CPU:
#   dlcreg train configs/transpose/transpose_r_a3_openfield_quick.py --project PROJECT
_base_ = "transpose_r18_a3_openfield_quick.py"
_zoo = dict(
    what="TransPose-R-A3 from random weights, on a CPU",
    paper="Yang et al., 2021",
    keypoints=4,
    input=(192, 256),
    measured="open field: 8.08 px",
    options="--project ../shared/data/openfield-Pranav-2018-10-30 "
    "--split ../shared/data/splits/openfield_80.json --seed 0",
)

_shrink = dict(type="Resize", scale=0.4)
_augment = _base_.data.train.transform[1:]

model = dict(
    backbone=dict(depth=50),
    neck=dict(channels=256, num_heads=8, hidden_channels=1024),
    head=dict(deconv_channels=(256,)),
)
data = dict(
    train=dict(transform=[_shrink, *_augment]),
    val=dict(transform=[_shrink]),
    test=dict(transform=[_shrink]),
)
solver = dict(optimizer=dict(lr=3e-4), schedule=dict(eta_max=3e-4), max_epochs=30)

# A small TransPose (Yang et al., 2021): the first half of ResNet-18 and 3 encoder layers, random at
# the start, on whole pictures of about 640 x 480 at half their size, for one animal, on a CPU:
#   dlcreg train configs/transpose/transpose_r18_a3_openfield_quick.py --project PROJECT
_base_ = "../resnet/resnet18_openfield_quick.py"
_zoo = dict(
    what="A small TransPose on a ResNet-18, from random weights, on a CPU",
    paper="Yang et al., 2021",
    keypoints=4,
    input=(240, 320),
    measured="open field: 7.49 px",
    options="--project ../shared/data/openfield-Pranav-2018-10-30 "
    "--split ../shared/data/splits/openfield_80.json --seed 0",
)

_shrink = dict(type="Resize", scale=0.5)
_augment = [t for t in _base_.data.train.transform if t.type not in ("Resize", "Crop")]

model = dict(
    backbone=dict(out_indices=(1,)),
    neck=dict(
        _delete_=True,
        type="TransformerNeck",
        channels=128,
        num_layers=3,
        num_heads=4,
        hidden_channels=256,
        dropout=0.0,  # with it torch holds the whole attention of a CPU's step
    ),
    head=dict(deconv_channels=(64,)),
)
data = dict(
    train=dict(transform=[_shrink, *_augment]),
    val=dict(transform=[_shrink]),
    test=dict(transform=[_shrink]),
)
solver = dict(optimizer=dict(lr=5e-4), schedule=dict(eta_max=5e-4), max_epochs=40)

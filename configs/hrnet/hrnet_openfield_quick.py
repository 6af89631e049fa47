# HRNet-W18 of three stages with a feature pyramid, from random weights, on a CPU; all else is that
# of the quick ResNet-18 for one animal in pictures of about 640 x 480, such as the open field:
#   dlcreg train configs/hrnet/hrnet_openfield_quick.py --project PROJECT
_base_ = "../resnet/resnet18_openfield_quick.py"
_zoo = dict(
    what="HRNet-W18 of three stages, from random weights, on a CPU",
    keypoints=4,
    measured="open field: 2.30 px",
    options="--project ../shared/data/openfield-Pranav-2018-10-30 "
    "--split ../shared/data/splits/openfield_80.json --seed 0",
)

model = dict(backbone=dict(_delete_=True, type="HRNet", width=18, stages=3, out_indices=(0, 1, 2)))

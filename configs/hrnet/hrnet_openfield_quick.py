# HRNet-W18 of three stages with a feature pyramid, from random weights, on a CPU; all else is that
# of the quick ResNet-18 for one animal in pictures of about 640 x 480, such as the open field:
#   dlcreg train configs/hrnet/hrnet_openfield_quick.py --project PROJECT
_base_ = "../resnet/resnet18_openfield_quick.py"
_zoo = dict(what="HRNet-W18 of three stages, from random weights, on a CPU", keypoints=4)

model = dict(backbone=dict(_delete_=True, type="HRNet", width=18, stages=3, out_indices=(0, 1, 2)))

# BUCTD with preNet (Zhou et al., 2023) on an HRNet-W18 of three stages, from random weights, on a
# CPU; from COCO files (shared/data beside the checkout). The second stage after
# configs/hrnet/hrnet_flies_paf_quick.py.
#   dlcreg train configs/buctd/buctd_prenet_flies_quick.py
_base_ = "../_base_/flies_conditioned.py"
_zoo = dict(
    what="BUCTD with preNet on an HRNet-W18, from random weights, on a CPU",
    paper="Zhou et al., 2023",
    keypoints=13,
    measured="two flies, poses of the PAF model: OKS AP 0.49 to 0.61, all keypoints found",
    options="--seed 0 --work-dir prenet",
    first="dlcreg train configs/hrnet/hrnet_flies_paf_quick.py --seed 0 --work-dir first",
    then="dlcreg test prenet/epoch_30.pth --proposals first/epoch_60.pth",
)

model = dict(backbone=dict(type="PreNet", channels=16))

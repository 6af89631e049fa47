# The CoAM of buctd_coam_flies_quick.py that learns from empirical conditions, too (Zhou et al.,
# 2023): half of them are what its first stage found in the training images, half are made of the
# labels. The first stage, whose evaluation writes that file, and the second:
#   dlcreg train configs/hrnet/hrnet_flies_paf_quick.py --seed 0 --work-dir first
#   dlcreg train configs/buctd/buctd_coam_flies_empirical_quick.py --seed 0
_base_ = "../_base_/flies_empirical.py"
_zoo = dict(
    what="BUCTD with CoAM, half of its conditions empirical, from random weights, on a CPU",
    paper="Zhou et al., 2023",
    keypoints=13,
    measured="two flies, poses of the PAF model: OKS AP 0.49 to 0.69, all keypoints found",
    options="--seed 0 --work-dir coam_empirical",
    first="dlcreg train configs/hrnet/hrnet_flies_paf_quick.py --seed 0 --work-dir first",
    then="dlcreg test coam_empirical/epoch_30.pth --proposals first/epoch_60.pth",
)

model = dict(backbone=dict(type="CoAM"))

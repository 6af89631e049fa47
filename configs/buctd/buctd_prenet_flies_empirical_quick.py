# The preNet of buctd_prenet_flies_quick.py that learns from empirical conditions, too (Zhou et al.,
# 2023): half of them are what its first stage found in the training images, half are made of the
# labels. The first stage, whose evaluation writes that file, and the second:
#   dlcreg train configs/hrnet/hrnet_flies_paf_quick.py --seed 0 --work-dir first
#   dlcreg train configs/buctd/buctd_prenet_flies_empirical_quick.py --seed 0
_base_ = "buctd_prenet_flies_quick.py"
_zoo = dict(
    what="BUCTD with preNet, half of its conditions empirical, from random weights, on a CPU",
    paper="Zhou et al., 2023",
    keypoints=13,
    measured="two flies, poses of the PAF model: OKS AP 0.49 to 0.76, all keypoints found",
)

_flip, _made, *_rest = _base_.data.train.transform

data = dict(
    train=dict(
        proposals="first/evaluation/predictions_train.json",
        unmatched="keep",
        transform=[_flip, dict(_made, p=0.5), *_rest],
    )
)

# Half of the conditions that the second stage learns from on the two flies are empirical (Zhou et
# al., 2023): what the first stage found in the training images; half are made of the labels. The
# evaluation of the first stage writes that file:
#   dlcreg train configs/hrnet/hrnet_flies_paf_quick.py --seed 0 --work-dir first
_base_ = "flies_conditioned.py"

_flip, _made, *_rest = _base_.data.train.transform

data = dict(
    train=dict(
        proposals="first/evaluation/predictions_train.json",
        unmatched="keep",
        transform=[_flip, dict(_made, p=0.5), *_rest],
    )
)

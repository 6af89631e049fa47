# Conditioned instance crops (Zhou et al., 2023), 384 high and 288 wide: a pose that is known says
# which animal is meant, and where it is. It is made of the labels by the errors of pose estimators,
# for samples that have no other, such as what a bottom-up model has found (`proposals`).
_base_ = "top_down.py"

_box = [dict(type="ConditionBox"), dict(type="CropInstance", size=(384, 288))]
_test = [dict(type="GenerativeCondition", p=0.0), *_box]

data = dict(
    train=dict(
        transform=[dict(type="GenerativeCondition"), *_box, *_base_.data.train.transform[1:]]
    ),
    val=dict(transform=_test),
    test=dict(transform=_test),
)

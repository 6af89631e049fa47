# Instance crops as in top_down.py, 384 high and 288 wide.
_base_ = "top_down.py"

_crop = dict(type="CropInstance", size=(384, 288))

data = dict(
    train=dict(transform=[_crop, *_base_.data.train.transform[1:]]),
    val=dict(transform=[_crop]),
    test=dict(transform=[_crop]),
)

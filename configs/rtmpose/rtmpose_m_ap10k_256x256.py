# RTMPose-m (Jiang et al., 2023) on the animals of AP-10K (Yu et al., 2021).
#   python tools/train.py configs/rtmpose/rtmpose_m_ap10k_256x256.py
# Files elsewhere: --cfg-options data.train.annotation_file=A.json and so on
_base_ = "rtmpose_m_256x192.py"
_zoo = dict(
    what="RTMPose-m on instance crops of AP-10K",
    paper="Jiang et al., 2023",
    published="AP-10K val AP 72.2",
    source="README of mmpose",
    load="rtmpose_m_ap10k_256x256",
)

_data = dict(type="CocoDataset", view="instance", _delete_=True)
_file = "data/ap10k/annotations/ap10k-{}-split1.json"
_crop = dict(type="CropInstance", size=(256, 256))
_half = dict(type="HalfBody", upper=list(range(11)), lower=list(range(11, 17)))
_weak = _base_.solver.hooks[0].transform[1:]

data = dict(
    train=dict(
        **_data,
        mode="train",
        annotation_file=_file.format("train"),
        transform=[_half, _crop, *_base_.data.train.transform[1:]],
    ),
    val=dict(**_data, mode="val", annotation_file=_file.format("val"), transform=[_crop]),
    test=dict(**_data, mode="test", annotation_file=_file.format("test"), transform=[_crop]),
)
solver = dict(
    schedule=[_base_.solver.schedule[0], dict(_base_.solver.schedule[1], begin=-105)],
    max_epochs=210,
    hooks=[dict(_base_.solver.hooks[0], transform=[_half, _crop, *_weak])],
)

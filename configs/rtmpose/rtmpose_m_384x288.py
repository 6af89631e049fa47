# RTMPose-m (Jiang et al., 2023) on larger instance crops.
_base_ = "rtmpose_m_256x192.py"
_zoo = dict(
    what="RTMPose-m on instance crops",
    paper="Jiang et al., 2023",
    published="COCO and AIC, COCO val AP 77.0",
    source="README of mmpose",
    load="rtmpose_m_384x288",
)

_crop = dict(type="CropInstance", size=(384, 288))

data = dict(
    train=dict(transform=[_crop, *_base_.data.train.transform[1:]]),
    val=dict(transform=[_crop]),
    test=dict(transform=[_crop]),
)
solver = dict(
    hooks=[dict(_base_.solver.hooks[0], transform=[_crop, *_base_.solver.hooks[0].transform[1:]])]
)

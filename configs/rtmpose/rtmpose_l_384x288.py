# RTMPose-l (Jiang et al., 2023) on larger instance crops.
_base_ = "rtmpose_m_384x288.py"
_zoo = dict(
    what="RTMPose-l on instance crops",
    paper="Jiang et al., 2023",
    published="COCO and AIC, COCO val AP 77.3",
    source="README of mmpose",
    load="rtmpose_l_384x288",
)

model = dict(backbone=dict(deepen_factor=1.0, widen_factor=1.0))

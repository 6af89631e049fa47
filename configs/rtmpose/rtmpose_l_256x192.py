# RTMPose-l (Jiang et al., 2023) on instance crops.
_base_ = "rtmpose_m_256x192.py"
_zoo = dict(
    what="RTMPose-l on instance crops",
    paper="Jiang et al., 2023",
    published="COCO val AP 75.8",
    source="README of mmpose",
    load="rtmpose_l_256x192",
)

model = dict(backbone=dict(deepen_factor=1.0, widen_factor=1.0))

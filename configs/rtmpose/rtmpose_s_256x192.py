# RTMPose-s (Jiang et al., 2023) on instance crops; without weight decay.
_base_ = "rtmpose_m_256x192.py"
_zoo = dict(
    what="RTMPose-s on instance crops",
    paper="Jiang et al., 2023",
    published="COCO val AP 71.6",
    source="README of mmpose",
    load="rtmpose_s_256x192",
)

model = dict(backbone=dict(deepen_factor=0.33, widen_factor=0.5))
solver = dict(optimizer=dict(weight_decay=0.0))

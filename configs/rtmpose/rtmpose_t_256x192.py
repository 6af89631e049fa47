# RTMPose-t (Jiang et al., 2023) on instance crops; without weight decay and without an average of
# its weights, as its authors have it.
_base_ = "rtmpose_m_256x192.py"
_zoo = dict(
    what="RTMPose-t on instance crops",
    paper="Jiang et al., 2023",
    published="COCO val AP 68.2",
    source="README of mmpose",
    load="rtmpose_t_256x192",
)

model = dict(backbone=dict(deepen_factor=0.167, widen_factor=0.375))
solver = dict(optimizer=dict(weight_decay=0.0), ema=None)

# RTMPose-m (Jiang et al., 2023) on instance crops.
#   python tools/train.py configs/rtmpose/rtmpose_m_256x192.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/rtmpose.py"]
_zoo = dict(
    what="RTMPose-m on instance crops",
    paper="Jiang et al., 2023",
    published="COCO val AP 74.6",
    source="README of mmpose",
    load="rtmpose_m_256x192",
)

_loss = dict(type="KLDiscreteLoss", beta=10.0)

model = dict(
    type="PoseModel",
    backbone=dict(type="CSPNeXt", deepen_factor=0.67, widen_factor=0.75),
    head=dict(type="RTMCCHead", codec=dict(type="SimCC"), losses=dict(x=_loss, y=_loss)),
)

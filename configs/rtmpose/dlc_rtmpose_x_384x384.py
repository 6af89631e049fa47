# RTMPose-x (Jiang et al., 2023) as DeepLabCut has it, on larger square instance crops.
_base_ = "dlc_rtmpose_m_256x256.py"
_zoo = dict(
    what="RTMPose-x of DeepLabCut on instance crops",
    paper="Jiang et al., 2023",
    load="dlc_rtmpose_x",
)

_crop = dict(type="CropInstance", size=(384, 384), padding=1.0)

model = dict(backbone=dict(deepen_factor=1.33, widen_factor=1.25))
data = dict(
    train=dict(transform=[_crop, *_base_.data.train.transform[1:]]),
    val=dict(transform=[_crop]),
    test=dict(transform=[_crop]),
)

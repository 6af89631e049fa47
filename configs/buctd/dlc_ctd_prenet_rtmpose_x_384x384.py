# DeepLabCut's BUCTD-preNet (Zhou et al., 2023) on an RTMPose-x (Jiang et al., 2023).
_base_ = "dlc_ctd_prenet_rtmpose_m_256x256.py"
_zoo = dict(
    what="BUCTD-preNet of DeepLabCut on RTMPose-x",
    paper="Zhou et al., 2023",
    load="dlc_ctd_prenet_rtmpose_x",
)
_crop = dict(type="CropInstance", size=(384, 384), padding=1.0)
_test = [*_base_.data.val.transform[:2], _crop]
_train = _base_.data.train.transform

model = dict(backbone=dict(backbone=dict(deepen_factor=1.33, widen_factor=1.25)))
data = dict(
    train=dict(transform=[*_train[:2], _crop, *_train[3:]]),
    val=dict(transform=_test),
    test=dict(transform=_test),
)

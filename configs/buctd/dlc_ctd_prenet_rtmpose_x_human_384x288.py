# DeepLabCut's BUCTD-preNet (Zhou et al., 2023) on an RTMPose-x, on the crops of persons.
_base_ = "dlc_ctd_prenet_rtmpose_x_384x384.py"
_zoo = dict(
    what="BUCTD-preNet of DeepLabCut on RTMPose-x, for persons",
    paper="Zhou et al., 2023",
    load="dlc_ctd_prenet_rtmpose_x_human",
)
_crop = dict(type="CropInstance", size=(384, 288), padding=1.0)
_test = [*_base_.data.val.transform[:2], _crop]
_train = _base_.data.train.transform

data = dict(
    train=dict(transform=[*_train[:2], _crop, *_train[3:]]),
    val=dict(transform=_test),
    test=dict(transform=_test),
)

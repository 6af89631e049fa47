# DeepLabCut's BUCTD-CoAM (Zhou et al., 2023) on an HRNet-W48, on the larger crops of persons.
_base_ = "dlc_ctd_coam_w48_256x256.py"
_zoo = dict(
    what="BUCTD-CoAM of DeepLabCut on HRNet-W48, for persons",
    paper="Zhou et al., 2023",
    keypoints=14,
)
_crop = dict(type="CropInstance", size=(384, 288), padding=1.0)
_test = [*_base_.data.val.transform[:2], _crop]
_train = _base_.data.train.transform

data = dict(
    train=dict(transform=[*_train[:2], _crop, *_train[3:]]),
    val=dict(transform=_test),
    test=dict(transform=_test),
)

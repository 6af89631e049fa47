# The quick ResNet-18 on the crops of two flies, from COCO files (shared/data beside the checkout):
#   python tools/train.py configs/resnet/resnet18_flies_quick.py
# Files elsewhere: --cfg-options data.train.annotation_file=A.json data.test.annotation_file=B.json
_base_ = "resnet18_openfield_quick.py"
_zoo = dict(what="the same on crops of two flies", keypoints=13)

_coco = "../shared/data/flies-sleap-2020-01-01/coco"
_crop = dict(type="CropInstance", size=(192, 192))
_augment = [t for t in _base_.data.train.transform if t.type not in ("Resize", "Crop")]

data = dict(
    train=dict(
        _delete_=True,
        type="CocoDataset",
        annotation_file=f"{_coco}/keypoints_train.json",
        view="instance",
        mode="train",
        transform=[_crop, *_augment],
    ),
    val=None,  # 60 images are to learn from; the last epoch is the result
    test=dict(
        _delete_=True,
        type="CocoDataset",
        annotation_file=f"{_coco}/keypoints_val.json",
        view="instance",
        mode="test",
        transform=[_crop],
    ),
)

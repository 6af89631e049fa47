# The quick ResNet-18 on AP-10K's two sample images (Yu et al., 2021), half a minute on a CPU. It
# learns them by heart: errors of 1 to 2 px show that labels, crops and codec agree, and no more.
#   python tools/train.py configs/resnet/resnet18_ap10k_quick.py
# Other files: --cfg-options data.train.annotation_file=A.json data.test.annotation_file=B.json
_base_ = "resnet18_flies_quick.py"
_zoo = dict(what="the same on two images of AP-10K, learnt by heart")

_coco = "../shared/data/coco-keypoints/ap10k/annotations/test_ap10k.json"

data = dict(
    train=dict(annotation_file=_coco, transform=_base_.data.test.transform),  # no augmentation
    test=dict(annotation_file=_coco),
    allow_overlap=True,  # the images it learns are those that it is measured on
)
evaluation = dict(flip_test=False)  # it has never seen a mirror image

# Faster R-CNN on MobileNetV3, a faster detector of DeepLabCut, learnt as the one on ResNet-50.
#   python tools/train.py configs/detectors/fasterrcnn_mobilenet_v3.py --project DIR
_base_ = "fasterrcnn_resnet50_fpn_v2.py"
_zoo = dict(
    what="Faster R-CNN on MobileNetV3 with FPN; GMAC up to the proposals",
    paper="Ren et al., 2015; Howard et al., 2019",
    input=(800, 1066),
)

model = dict(detector=dict(backbone="mobilenet_v3_large_fpn"))

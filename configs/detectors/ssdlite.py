# SSDLite on MobileNetV3, DeepLabCut's fastest detector, from torchvision's weights for COCO.
#   python tools/train.py configs/detectors/ssdlite.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/detection.py"]
_zoo = dict(what="SSDLite on MobileNetV3", paper="Howard et al., 2019", input=(320, 320))

model = dict(type="DetectionModel", detector=dict(type="SSDLite", weights="coco"))
data = dict(batch_size=16)

# DeepLabCut's detector: Faster R-CNN on ResNet-50, from torchvision's weights for COCO, of which
# the statistics are kept: it sees one image at a time.
#   python tools/train.py configs/detectors/fasterrcnn_resnet50_fpn_v2.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/detection.py"]
_zoo = dict(
    what="Faster R-CNN on ResNet-50 with FPN; GMAC up to the proposals",
    paper="Ren et al., 2015; Li et al., 2021",
    input=(800, 1066),
)

model = dict(
    type="DetectionModel",
    detector=dict(type="FasterRCNN", backbone="resnet50_fpn_v2", weights="coco", norm_eval=True),
)
data = dict(batch_size=1)

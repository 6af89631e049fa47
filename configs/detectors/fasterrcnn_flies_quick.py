# Faster R-CNN from random weights: two flies from COCO files (shared/data beside the checkout), at
# less than a third of their size and turned any way. Group normalisation, for batches are small.
#   dlcreg train configs/detectors/fasterrcnn_flies_quick.py
_base_ = "ssdlite_flies_quick.py"
_zoo = dict(
    what="Faster R-CNN on MobileNetV3 of half the width, from random weights, on a CPU",
    paper="Ren et al., 2015; Howard et al., 2019",
    keypoints=13,
    measured="two flies: box AP 0.60, AP50 1.00",
    options="--seed 0",
)

model = dict(
    detector=dict(
        _delete_=True,
        type="FasterRCNN",
        backbone="mobilenet_v3_large_320_fpn",
        size="given",
        anchors=(24, 36, 54),
        stride=16,
        width=0.5,
        regions=64,
        norm="group",
    )
)
solver = dict(max_epochs=50)

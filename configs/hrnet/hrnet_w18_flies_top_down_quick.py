# HRNet-W18 of three stages on crops of single flies, from random weights, on a CPU; from COCO files
# (shared/data beside the checkout). Boxes of a trained detector, such as that of
# configs/detectors/ssdlite_flies_quick.py: --cfg-options evaluation.proposals=CHECKPOINT
#   dlcreg train configs/hrnet/hrnet_w18_flies_top_down_quick.py
_base_ = ["../_base_/runtime.py", "../_base_/flies.py"]
_zoo = dict(
    what="HRNet-W18 of three stages on crops of flies, from random weights, on a CPU",
    keypoints=13,
    input=(96, 96),
    measured="two flies: 14.7 px, OKS AP 0.61; in boxes of the quick SSDLite 14.8 px, 0.59",
    first="dlcreg train configs/detectors/ssdlite_flies_quick.py --work-dir boxes",
    then="dlcreg test poses/epoch_40.pth --proposals boxes/epoch_60.pth",
    options="--seed 0 --work-dir poses",
)

_crop = dict(type="CropInstance", size=(96, 96))
_pixels = _base_.data.train.transform[-1]
_instance = dict(view="instance", transform=[_crop])

model = dict(
    type="PoseModel",
    backbone=dict(type="HRNet", width=18, stages=3, out_indices=(0, 1, 2)),
    neck=dict(type="FPN", channels=64),
    head=dict(
        type="HeatmapHead",
        codec=dict(type="GaussianHeatmap", sigma=1.0),
        losses=dict(heatmap=dict(type="SpatialCrossEntropyLoss")),
    ),
)
data = dict(
    train=dict(
        view="instance",
        transform=[
            dict(type="JitterBox"),
            _crop,
            dict(type="Flip"),
            dict(type="Affine", rotation=180),
            _pixels,
        ],
    ),
    test=_instance,
    batch_size=8,
)
solver = dict(max_epochs=40)
evaluation = dict(flip_test=True)

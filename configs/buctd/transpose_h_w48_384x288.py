# BUCTD-TransPose (Zhou et al., 2023): a TransPose-H-A6 whose tokens know the condition, too.
#   python tools/train.py configs/buctd/transpose_h_w48_384x288.py --project DIR
_base_ = "prenet_w48_384x288.py"
_zoo = dict(
    what="BUCTD-TransPose on three stages of HRNet-W48, coloured conditions",
    paper="Zhou et al., 2023",
    load="buctd_transpose_h_w48_coco_colored_384x288",
)

model = dict(
    backbone=dict(type="ConcatCondition", backbone=dict(stages=3), channels=96),
    neck=dict(
        type="TransformerNeck", channels=None, num_layers=6, num_heads=1, hidden_channels=192
    ),
)
data = dict(batch_size=14)

# Crops around conditions, for the second stage of BUCTD on the two flies: to learn from, conditions
# are made of the labels by errors as pose estimators make them; to measure on, they are proposals:
#   dlcreg test CHECKPOINT --proposals BOTTOM_UP_CHECKPOINT
# The config that inherits this says how the backbone looks at the condition.
_base_ = ["runtime.py", "flies.py"]

_crop = [
    dict(type="ConditionBox", margin=10),
    dict(type="CropInstance", size=(96, 96), padding=1.25),
]

model = dict(
    type="PoseModel",
    backbone=dict(
        backbone=dict(type="HRNet", width=18, stages=3, out_indices=(0, 1, 2)),
        encoder=dict(type="StackedKeypoints"),
    ),
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
            dict(type="Flip"),
            dict(type="GenerativeCondition", absent=0.05),
            *_crop,
            dict(type="Affine", rotation=180, scale=(0.85, 1.15), translate=0.05),
            _base_.data.train.transform[-1],
        ],
    ),
    test=dict(view="instance", transform=[dict(type="GenerativeCondition", p=0), *_crop]),
    batch_size=8,
)
solver = dict(max_epochs=30)
evaluation = dict(flip_test=True, score_threshold=None)  # scores of a softmax are low

# Several animals, who is who, and unique body parts with one network: part affinity fields on
# DeepLabCut's ResNet-50 find the animals, an identity head tells them apart, and a third head finds
# what an image has once. For a multi-animal project with `identity: true` and uniquebodyparts; take
# out the head, and its metric, for which there is no data.
#   python tools/train.py configs/resnet/resnet50_paf_identity.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/bottom_up_crops.py"]
_zoo = dict(
    what="ResNet-50 with part affinity fields, 2 identities and 4 unique body parts",
    paper="Lauer et al., 2022",
)

_scores = dict(heatmap=dict(type="BCELoss"), locref=dict(type="HuberLoss", weight=0.05))

model = dict(
    type="PoseModel",
    backbone=dict(type="ResNet", depth=50, output_stride=16, weights="imagenet"),
    head=dict(
        pose=dict(
            type="HeatmapHead",
            deconv_channels=(256,),
            codec=dict(type="PartAffinityFields"),
            losses=dict(**_scores, paf=dict(type="HuberLoss", weight=0.1)),
        ),
        identity=dict(
            type="HeatmapHead",
            deconv_channels=(256,),
            codec=dict(type="IdentityMaps"),
            losses=dict(identity=dict(type="BCELoss")),
        ),
        unique=dict(
            type="UniqueKeypointsHead",
            head=dict(
                type="HeatmapHead",
                deconv_channels=(256,),
                codec=dict(type="PlateauHeatmap"),
                losses=_scores,
            ),
        ),
    ),
)
solver = dict(
    metrics=[
        *_base_.solver.metrics,
        dict(type="IdentityAccuracy"),
        dict(type="UniqueKeypoints", metric=dict(type="PixelError")),
    ]
)

# DeepLabCut's network: a dilated ResNet-50 of stride 16, one transposed convolution to stride 8,
# discs of ones and location refinement (Mathis et al., 2018), learnt as in DeepLabCut 3.
#   python tools/train.py configs/resnet/resnet50_bottom_up.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/bottom_up_crops.py"]
_zoo = dict(what="ResNet-50 of stride 16 with location refinement", paper="Mathis et al., 2018")

model = dict(
    type="PoseModel",
    backbone=dict(type="ResNet", depth=50, output_stride=16, weights="imagenet"),
    head=dict(
        type="HeatmapHead",
        deconv_channels=(256,),
        codec=dict(type="PlateauHeatmap", radius=17, locref_std=7.2801),
        losses=dict(heatmap=dict(type="BCELoss"), locref=dict(type="HuberLoss", weight=0.05)),
    ),
)
solver = dict(
    optimizer=dict(type="AdamW", lr=5e-4),
    schedule=dict(type="MultiStepLR", milestones=[90, 120]),
    max_epochs=200,
)

# DeepLabCut 3's ResNet-50 for several animals (Lauer et al., 2022): group normalisation, stride 16,
# maps of stride 4 with part affinity fields.
#   python tools/train.py configs/resnet/resnet50_paf.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/bottom_up_crops.py", "../_base_/paf.py"]
_zoo = dict(
    what="ResNet-50 of DeepLabCut 3 for several animals",
    paper="Lauer et al., 2022",
    load="dlc_resnet_50_bu_multi_paf",
)

model = dict(
    type="PoseModel",
    backbone=dict(type="ResNet", depth=50, output_stride=16, norm="group", weights="imagenet"),
    head=dict(type="DLCRNetHead", engine="pytorch", num_stages=5, num_deconvs=1),
)
solver = dict(
    optimizer=dict(type="AdamW", lr=5e-4),
    schedule=dict(type="MultiStepLR", milestones=[90, 120]),
    max_epochs=200,
)

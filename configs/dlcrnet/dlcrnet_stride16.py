# DLCRNet_ms5 (Lauer et al., 2022) of DeepLabCut's PyTorch engine, for several animals: a ResNet-50
# of stride 16 and maps of stride 4. Unlike there, the banks teach the ResNet, too.
#   python tools/train.py configs/dlcrnet/dlcrnet_stride16.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/bottom_up_crops.py", "../_base_/paf.py"]
_zoo = dict(
    what="DLCRNet of DeepLabCut 3 for several animals, ResNet-50 of stride 16",
    paper="Lauer et al., 2022",
    load="dlc_dlcrnet_stride16_ms5",
)

model = dict(
    type="PoseModel",
    backbone=dict(
        type="DLCRNet", output_stride=16, engine="pytorch", weights="imagenet", norm_eval=True
    ),
    head=dict(type="DLCRNetHead", engine="pytorch", num_stages=5, num_deconvs=1),
)
solver = dict(
    optimizer=dict(type="AdamW", lr=1e-4),
    schedule=dict(type="MultiStepLR", milestones=[160, 190]),
    max_epochs=200,
)

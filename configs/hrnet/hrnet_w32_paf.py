# HRNet-W32 (Sun et al., 2019) for several animals, with part affinity fields (Lauer et al., 2022).
# Its maps keep stride 4, where those of DeepLabCut, of stride 1, cost three times the operations.
#   python tools/train.py configs/hrnet/hrnet_w32_paf.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/bottom_up_crops.py", "../_base_/paf.py"]
_zoo = dict(what="HRNet-W32 for several animals", paper="Sun et al., 2019")

model = dict(
    type="PoseModel",
    backbone=dict(type="HRNet", width=32, weights="imagenet", norm_eval=True),
    head=dict(type="DLCRNetHead", doubled=False),
)
solver = dict(
    optimizer=dict(type="AdamW", lr=1e-4),
    schedule=dict(type="MultiStepLR", milestones=[160, 190]),
    max_epochs=200,
)

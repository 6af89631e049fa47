# TokenPose-B (Li et al., 2021) on instance crops, learnt as its authors did on COCO (on 4 GPUs):
# the first three stages of HRNet-W32, then 12 layers of patches and keypoints.
#   python tools/train.py configs/tokenpose/tokenpose_b_256x192.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/top_down.py"]
_zoo = dict(
    what="TokenPose-B on instance crops",
    paper="Li et al., 2021",
    published="COCO val AP 74.7",
    source="paper",
    load="tokenpose_b_256x192",
)

model = dict(
    type="PoseModel",
    backbone=dict(type="HRNet", width=32, stages=3, weights="imagenet"),
    head=dict(
        type="TokenPoseHead",
        patch_size=(4, 3),
        depth=(12,),
        codec=dict(type="DarkHeatmap", sigma=2.0, square_cells=True),
        losses=dict(heatmap=dict(type="MSELoss", weight=0.5, reduction="mean")),
    ),
)
solver = dict(schedule=dict(type="MultiStepLR", milestones=[200, 260]), max_epochs=300)

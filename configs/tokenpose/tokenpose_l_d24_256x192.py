# TokenPose-L/D24 (Li et al., 2021): three stages of HRNet-W48, then three transformers of 8 layers,
# whose tokens of a keypoint make its map together.
_base_ = "tokenpose_b_256x192.py"
_zoo = dict(
    what="TokenPose-L/D24 on instance crops",
    paper="Li et al., 2021",
    published="COCO val AP 75.8",
    source="paper",
    load="tokenpose_l_d24_256x192",
)

model = dict(backbone=dict(width=48), head=dict(depth=(8, 8, 8), num_heads=12, map_width=None))
data = dict(batch_size=16)

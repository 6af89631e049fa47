# TokenPose-T (Li et al., 2021): patches of the image itself, 16 high and 12 wide, and no backbone.
_base_ = "tokenpose_b_256x192.py"
_zoo = dict(
    what="TokenPose-T on instance crops, from random weights",
    paper="Li et al., 2021",
    published="COCO val AP 65.6",
    source="paper",
    load="tokenpose_t_256x192",
)

model = dict(
    backbone=dict(_delete_=True, type="IdentityBackbone"),
    head=dict(patch_size=(16, 12), num_heads=16),
)

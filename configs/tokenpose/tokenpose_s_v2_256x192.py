# TokenPose-S-v2 (Li et al., 2021): as S-v1, with smaller patches.
_base_ = "tokenpose_s_v1_256x192.py"
_zoo = dict(
    what="TokenPose-S-v2 on instance crops",
    paper="Li et al., 2021",
    published="COCO val AP 73.5",
    source="paper",
    load="tokenpose_s_v2_256x192",
)

model = dict(head=dict(patch_size=(2, 2)))
data = dict(batch_size=12)

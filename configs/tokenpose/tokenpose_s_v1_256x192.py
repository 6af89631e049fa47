# TokenPose-S-v1 (Li et al., 2021): the stem and the first layer of HRNet, then 12 layers.
_base_ = "tokenpose_b_256x192.py"
_zoo = dict(
    what="TokenPose-S-v1 on instance crops",
    paper="Li et al., 2021",
    published="COCO val AP 72.5",
    source="paper",
    load="tokenpose_s_v1_256x192",
)

model = dict(backbone=dict(stages=1), head=dict(attention_scale="token"))

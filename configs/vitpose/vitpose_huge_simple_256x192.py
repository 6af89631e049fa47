# ViTPose-H (Xu et al., 2022) with its simple head: one enlargement, one convolution.
_base_ = "vitpose_huge_256x192.py"
_zoo = dict(
    what="ViTPose-H with the simple head on instance crops",
    paper="Xu et al., 2022",
    published="COCO val AP 78.9",
    source="README of ViTPose",
    load="vitpose_huge_simple_256x192",
)

model = dict(head=dict(deconv_channels=(), upsample=4, final_kernel=3))

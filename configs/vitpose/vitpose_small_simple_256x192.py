# ViTPose-S (Xu et al., 2022) with its simple head: one enlargement, one convolution.
_base_ = "vitpose_small_256x192.py"
_zoo = dict(
    what="ViTPose-S with the simple head on instance crops, from random weights",
    paper="Xu et al., 2022",
    published="COCO val AP 73.5",
    source="README of ViTPose",
)

model = dict(head=dict(deconv_channels=(), upsample=4, final_kernel=3))

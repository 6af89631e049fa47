# HRNet-W48 (Sun et al., 2019) on larger instance crops, with wider Gaussians.
_base_ = ["hrnet_w48_top_down_256x192.py", "../_base_/top_down_384x288.py"]
_zoo = dict(
    what="HRNet-W48 on instance crops",
    paper="Sun et al., 2019",
    published="COCO val AP 76.3",
    source="README of HRNet",
    load="hrnet_w48_384x288",
)

model = dict(head=dict(codec=dict(sigma=3.0)))

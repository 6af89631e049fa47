# HRNet-W18 (Sun et al., 2019) on instance crops.
_base_ = "hrnet_w32_top_down_256x192.py"
_zoo = dict(what="HRNet-W18 on instance crops", paper="Sun et al., 2019", load="hrnet_w18_256x192")

model = dict(backbone=dict(width=18))

# HRNet-W18 (Sun et al., 2019) on instance crops.
_base_ = "hrnet_w32_top_down_256x192.py"

model = dict(backbone=dict(width=18))

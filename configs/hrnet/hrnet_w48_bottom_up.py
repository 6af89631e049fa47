# HRNet-W48 (Sun et al., 2019) on whole images.
_base_ = "hrnet_w32_bottom_up.py"

model = dict(backbone=dict(width=48))

# HRNet-W18 (Sun et al., 2019) on whole images.
_base_ = "hrnet_w32_bottom_up.py"
_zoo = dict(what="HRNet-W18 on whole images, with location refinement", paper="Sun et al., 2019")

model = dict(backbone=dict(width=18))

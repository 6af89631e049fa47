# HRNet-W48 (Sun et al., 2019) for several animals, with part affinity fields (Lauer et al., 2022).
_base_ = "hrnet_w32_paf.py"
_zoo = dict(what="HRNet-W48 for several animals", paper="Sun et al., 2019")

model = dict(backbone=dict(width=48))

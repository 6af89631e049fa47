# DEKR (Geng et al., 2021) on HRNet-W18, the smallest; otherwise dekr_w32.py. The batch is one for a
# GPU of 8 GB; with DeepLabCut it is its `dekr_w18`.
_base_ = "dekr_w32.py"
_zoo = dict(what="DEKR on HRNet-W18, any number of animals", paper="Geng et al., 2021")

model = dict(backbone=dict(width=18), head=dict(heatmap_channels=18))

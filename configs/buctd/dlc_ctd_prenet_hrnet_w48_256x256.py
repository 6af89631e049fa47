# DeepLabCut's BUCTD-preNet (Zhou et al., 2023) on an HRNet-W48.
_base_ = "dlc_ctd_prenet_hrnet_w32_256x256.py"
_zoo = dict(what="BUCTD-preNet of DeepLabCut on HRNet-W48", paper="Zhou et al., 2023")

model = dict(backbone=dict(backbone=dict(width=48)))

# BUCTD-CoAM (Zhou et al., 2023) on an HRNet-W32, with coloured conditions. The published model of
# this name sees their first channel alone.
_base_ = "coam_w32_stacked_384x288.py"
_zoo = dict(what="BUCTD-CoAM on HRNet-W32, coloured conditions", paper="Zhou et al., 2023")

model = dict(backbone=dict(encoder=dict(type="ColoredKeypoints")))

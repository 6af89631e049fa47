# DeepLabCut's BUCTD-CoAM (Zhou et al., 2023) on an HRNet-W32, with location refinement.
#   python tools/train.py configs/buctd/dlc_ctd_coam_w32_256x256.py --project DIR
_base_ = "dlc_ctd_prenet_hrnet_w32_256x256.py"
_zoo = dict(what="BUCTD-CoAM of DeepLabCut on HRNet-W32", paper="Zhou et al., 2023")

model = dict(backbone=dict(type="CoAM"))

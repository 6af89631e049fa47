# BUCTD-CoAM (Zhou et al., 2023) on an HRNet-W48, before its last stages and behind them.
_base_ = "coam_w48_colored_384x288.py"
_zoo = dict(
    what="BUCTD-CoAM at three places of HRNet-W48, coloured conditions",
    paper="Zhou et al., 2023",
    load="buctd_coam_w48_allstages_colored_384x288",
)

model = dict(backbone=dict(positions=(1, 2, 3)))

# BUCTD-CoAM (Zhou et al., 2023) on an HRNet-W48, with attention among channels alone.
_base_ = "coam_w48_colored_384x288.py"
_zoo = dict(
    what="BUCTD-CoAM of channels alone on HRNet-W48, coloured conditions",
    paper="Zhou et al., 2023",
    load="buctd_coam_w48_channelonly_colored_384x288",
)

model = dict(backbone=dict(channel_only=True))

# DLCRNet_ms5 (Lauer et al., 2022) of the paper, with maps of stride 4.
_base_ = "dlcrnet_stride8.py"
_zoo = dict(
    what="DLCRNet for several animals, maps of stride 4",
    paper="Lauer et al., 2022",
    load="dlcrnet_ms5_tensorflow_stride4",
)

model = dict(backbone=dict(upsampled_channels=128))

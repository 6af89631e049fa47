# DLCRNet_ms5 (Lauer et al., 2022) of DeepLabCut's PyTorch engine, with a ResNet-50 of stride 32.
_base_ = "dlcrnet_stride16.py"
_zoo = dict(
    what="DLCRNet of DeepLabCut 3 for several animals, ResNet-50 of stride 32",
    paper="Lauer et al., 2022",
    load="dlc_dlcrnet_stride32_ms5",
)

model = dict(backbone=dict(output_stride=32), head=dict(num_deconvs=2))

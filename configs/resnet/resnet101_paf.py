# DeepLabCut 3's ResNet-101 for several animals, with batch normalisation (Lauer et al., 2022).
_base_ = "resnet50_paf.py"
_zoo = dict(
    what="ResNet-101 of DeepLabCut 3 for several animals",
    paper="Lauer et al., 2022",
    load="dlc_resnet_101_bu_multi_paf",
)

model = dict(backbone=dict(depth=101, norm="batch"))

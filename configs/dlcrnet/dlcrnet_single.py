# DLCRNet_ms5 (Lauer et al., 2022) for one animal: no part affinity fields, maps of stride 8.
_base_ = "dlcrnet_stride16.py"
_zoo = dict(what="DLCRNet for one animal, maps of stride 8", paper="Lauer et al., 2022")

model = dict(
    backbone=dict(engine="tensorflow"),
    head=dict(
        _delete_=True,
        type="DLCRNetHead",
        codec=dict(type="PlateauHeatmap"),
        losses=dict(heatmap=dict(type="BCELoss"), locref=dict(type="HuberLoss", weight=0.05)),
    ),
)

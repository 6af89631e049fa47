# DeepLabCut's BUCTD-preNet (Zhou et al., 2023) on an RTMPose-m (Jiang et al., 2023).
#   python tools/train.py configs/buctd/dlc_ctd_prenet_rtmpose_m_256x256.py --project DIR
_base_ = ["../_base_/runtime.py", "../_base_/dlc_ctd.py"]
_zoo = dict(
    what="BUCTD-preNet of DeepLabCut on RTMPose-m",
    paper="Zhou et al., 2023",
    load="dlc_ctd_prenet_rtmpose_m",
)

_loss = dict(type="KLDiscreteLoss", beta=10.0)

model = dict(
    type="PoseModel",
    backbone=dict(
        type="PreNet",
        backbone=dict(type="CSPNeXt", deepen_factor=0.67, widen_factor=0.75),
        encoder=dict(type="StackedKeypoints"),
    ),
    head=dict(type="RTMCCHead", codec=dict(type="SimCC"), losses=dict(x=_loss, y=_loss)),
)
data = dict(batch_size=32)
solver = dict(
    optimizer=dict(lr=1e-3),
    schedule=[
        dict(type="LinearLR", start_factor=0.01, end=5),
        dict(type="MultiStepLR", milestones=[300, 360]),
    ],
    max_epochs=400,
)

# DeepLabCut's BUCTD-preNet (Zhou et al., 2023) on an RTMPose-s (Jiang et al., 2023).
_base_ = "dlc_ctd_prenet_rtmpose_m_256x256.py"
_zoo = dict(
    what="BUCTD-preNet of DeepLabCut on RTMPose-s",
    paper="Zhou et al., 2023",
    load="dlc_ctd_prenet_rtmpose_s",
)

model = dict(backbone=dict(backbone=dict(deepen_factor=0.33, widen_factor=0.5)))

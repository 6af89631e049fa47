# RTMPose-s (Jiang et al., 2023) as DeepLabCut has it, on square instance crops.
_base_ = "dlc_rtmpose_m_256x256.py"
_zoo = dict(
    what="RTMPose-s of DeepLabCut on instance crops",
    paper="Jiang et al., 2023",
    load="dlc_rtmpose_s",
)

model = dict(backbone=dict(deepen_factor=0.33, widen_factor=0.5))

# BUCTD-CoAM (Zhou et al., 2023) on an HRNet-W48, as for the 14 keypoints of CrowdPose.
_base_ = "coam_w48_stacked_384x288.py"
_zoo = dict(
    what="BUCTD-CoAM on HRNet-W48 for 14 keypoints, a map a keypoint as the condition",
    paper="Zhou et al., 2023",
    published="CrowdPose test AP 78.5 with conditions of PETR",
    source="README of BUCTD",
    load="buctd_coam_w48_crowdpose_stacked_384x288",
)

# TransPose-R-A4 (Yang et al., 2021) on whole images of one animal.
_base_ = "transpose_r_a3_bottom_up.py"
_zoo = dict(what="TransPose-R-A4 with location refinement", paper="Yang et al., 2021")

model = dict(neck=dict(num_layers=4))

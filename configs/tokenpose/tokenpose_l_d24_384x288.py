# TokenPose-L/D24 (Li et al., 2021) on larger crops, with larger patches and wider Gaussians.
_base_ = ["tokenpose_l_d24_256x192.py", "../_base_/top_down_384x288.py"]
_zoo = dict(
    what="TokenPose-L/D24 on instance crops",
    paper="Li et al., 2021",
    load="tokenpose_l_d24_384x288",
)

model = dict(head=dict(patch_size=(6, 4), codec=dict(sigma=3.0)))
data = dict(batch_size=16)

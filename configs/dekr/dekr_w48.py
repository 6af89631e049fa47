# DEKR (Geng et al., 2021) on HRNet-W48 and crops of 640; otherwise dekr_w32.py.
_base_ = "dekr_w32.py"
_zoo = dict(
    what="DEKR on HRNet-W48, any number of animals",
    paper="Geng et al., 2021",
    load="dekr_w48_coco_640",
    published="COCO val AP 71.0",
    source="README of DEKR",
)

_crop = dict(type="Crop", size=(640, 640), position="keypoint", max_shift=0.4)
model = dict(backbone=dict(width=48), head=dict(heatmap_channels=48))
data = dict(train=dict(transform=[*_base_.data.train.transform[:-1], _crop]), batch_size=5)

# A DeepLabCut project as whole images: one animal each, found anywhere in the picture.
# Name the project with --project DIR, or in data.*.project of your own config.
data = dict(
    train=dict(type="PoseDataset", project=dict(root="."), mode="train"),
    val=dict(type="PoseDataset", project=dict(root="."), mode="val"),
    test=dict(type="PoseDataset", project=dict(root="."), mode="test"),
)

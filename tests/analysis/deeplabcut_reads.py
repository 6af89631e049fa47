"""Run by DeepLabCut's own Python: what its tools make of our files, as JSON on the last line."""

import json
import sys
from pathlib import Path

import numpy as np
from deeplabcut.core.inferenceutils import Assembly, find_outlier_assemblies
from deeplabcut.pose_estimation_pytorch.apis.tracklets import build_tracklets
from deeplabcut.refine_training_dataset.outlier_frames import find_outliers_in_raw_detections
from deeplabcut.refine_training_dataset.stitch import TrackletStitcher
from deeplabcut.utils import auxiliaryfunctions as files

folder, scorer = Path(sys.argv[1]), sys.argv[2]
told = {}
for name, method in (("untracked", ""), ("tracked", "ellipse")):
    frame = files.load_analyzed_data(str(folder), "clip", scorer, track_method=method)[0]
    told[name] = {
        "levels": list(frame.columns.names),
        "shape": list(frame.shape),
        "missing": int(frame.isna().sum().sum()),
        "sum": float(frame.to_numpy(np.float64)[~frame.isna().to_numpy()].sum()),
    }
meta = files.load_video_metadata(str(folder), "clip", scorer)["data"]
full = files.load_video_full_data(str(folder), "clip", scorer)
assemblies = files.read_pickle(folder / f"clip{scorer}_assemblies.pickle")
settings = dict(max_age=1, min_hits=1, pcutoff=0.1, topktoretain=2, boundingboxslack=0)
tracklets = build_tracklets(
    assemblies,
    "box",
    settings,
    full["metadata"]["all_joints_names"],
    meta["Scorer"],
    full["metadata"]["nframes"],
    unique_bodyparts=meta["unique_bodyparts"],
)
stitcher = TrackletStitcher.from_dict_of_dict(tracklets, 2, 5)
stitcher.build_graph()
stitcher.stitch()
tracks = stitcher.format_df(meta["individuals"])
told["stitched"] = [list(tracks.shape), list(tracks.columns.unique("individuals"))]
told["tracks"] = sorted(len(track) for track in stitcher.tracks)
drawn = {}
for number, rows in assemblies.items():
    if number == "single":
        continue
    drawn[number] = []
    for row in rows:
        assembly = Assembly(len(row))
        assembly.data = row
        drawn[number].append(assembly)
told["outlying"] = len(find_outlier_assemblies(drawn))
told["uncertain"] = sorted(find_outliers_in_raw_detections(full, threshold=0.3)[0])
print(json.dumps(told))

"""A report is one page that needs nothing else, and tells what the numbers say."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

from dlcreg.analysis.encoding import encodable, write_video
from dlcreg.analysis.formats import build_writer
from dlcreg.apis.report import report
from dlcreg.apis.report_points import points_of, taken_for
from dlcreg.apis.results import read_predictions, write_predictions
from dlcreg.cli import main
from dlcreg.data import PoseDataset
from dlcreg.data.demo import generate
from dlcreg.errors import DataError, DlcregError
from dlcreg.recording import Recording
from dlcreg.solvers.metrics.identity import IdentityAccuracy
from dlcreg.solvers.prediction import nobody
from dlcreg.structures import DatasetInfo, Poses


class Page(HTMLParser):
    """The tags of a page, and what it asks for from elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.images, self.fetched, self.open = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.images += [values["alt"]] if tag == "img" else []
        addresses = [values.get(name) or "" for name in ("src", "href", "xlink:href")]
        self.fetched += [one for one in addresses if one and not one.startswith(("#", "data:"))]


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    """Two animals that are known apart between four corners: project, data and predictions.

    Points are found half a pixel beside their labels, but the first ones of animals not. In the
    first image each animal is taken for the other, and in the second one no animal is found.
    """
    root = generate(
        tmp_path_factory.mktemp("arena"), frames=14, animals=2, size=(64, 96), video=False,
        corners=True, identity=True,
    )  # fmt: skip
    dataset = PoseDataset(str(root), mode="test")
    found = []
    for number, meta in enumerate(dataset.image_metas()):
        labels = dataset.annotations(meta.image_id)
        poses, unique = as_poses(labels), as_poses(labels.unique)
        poses.identities = torch.from_numpy(labels.ids)[None]
        poses.keypoints[..., 0, :] += 60
        poses.scores[..., 0] = 0.1
        if number == 0:
            poses.identities = 1 - poses.identities
        if number == 1:
            poses = nobody(dataset.info)
        poses.unique = unique
        found.append((meta, poses))
    return root, dataset, found


@pytest.fixture
def run(arena, tmp_path):
    """What an evaluation leaves."""
    root, dataset, found = arena
    part = {"type": "PoseDataset", "project": {"root": str(root)}}
    folder = tmp_path / "run/evaluation"
    write_predictions(folder, "test", dataset, found)
    (folder / "metrics.json").write_text(json.dumps({"test": {"mean_error_px": 2.5, "x": None}}))
    known = {
        "dlcreg": "1", "torch": "2", "measured": {"checkpoint": "<b>epoch_1.pth"},
        "config": {"data": {"train": part, "test": {**part, "mode": "test"}}},
        "parts": [dict(name="N", registry="heads", distribution="d", version="1", target="t")],
    }  # fmt: skip
    (folder / "provenance.json").write_text(json.dumps(known))
    (folder.parent / "metrics.csv").write_text("epoch,lr,train/loss\n1,0.1,2\n2,0.1,1\n")
    return folder.parent


def as_poses(labels):
    """Return labels as what a model has found."""
    seen = torch.from_numpy(np.asarray(labels.visibility) > 0)[None]
    points = torch.from_numpy(labels.keypoints)[None].masked_fill(~seen[..., None], torch.nan)
    points = points + torch.tensor([0.5, 0])
    scores = seen * 0.9
    return Poses(points, scores, scores.mean(-1), torch.from_numpy(labels.valid)[None])


def told_by(text):
    """Return the rows of the tables of a page: names and cells."""
    rows = re.findall(r'<tr><th scope="row">(\w+)</th>((?:<td>[^<]*</td>)+)', text)
    return [(name, re.findall(r"<td>([^<]*)</td>", cells)) for name, cells in rows]


def test_an_evaluation_becomes_one_page(arena, run, capsys):
    assert main(["report", str(run), "--worst", "1"]) == 0
    path = run / "evaluation/report.html"
    assert capsys.readouterr().out.startswith(f"{path} (")
    text = path.read_text()
    page = Page(text)
    assert page.fetched == []
    assert len(page.ids) == len(set(page.ids))
    assert len(page.images) == 1
    assert "<b>epoch" not in text
    rows = told_by(text)
    told = dict(rows)
    assert told["mean_error_px"] == ["2.500"]
    assert told["x"] == ["–"]
    first = next(name for name, cells in told.items() if len(cells) == 3 and cells[0] == "–")
    assert told[first] == ["–", "–", "–"]  # all of its points are wrong: no cut-off helps
    assert path.stat().st_size < 1e6
    _check_identities(arena, text, rows)
    _check_corners(arena, rows)


def _check_identities(arena, text, rows):
    _, dataset, found = arena
    metric = IdentityAccuracy()
    metric.reset(dataset.info)
    for meta, poses in found:
        metric.update(poses, dataset.annotations(meta.image_id), meta)
    accuracy = metric.compute()["identity_accuracy"]
    assert 0 < accuracy < 1
    assert f"animals are right, {100 * accuracy:.1f} %" in text
    right = len(found) - 2
    assert ("animal1", [f"{right}", "1", f"{100 * right / (right + 1):.1f}"]) in rows
    assert ("animal2", ["1", f"{right}", f"{100 * right / (right + 1):.1f}"]) in rows


def _check_corners(arena, rows):
    _, dataset, found = arena
    for k, name in enumerate(dataset.info.unique.keypoint_names):
        labels = [dataset.annotations(meta.image_id).unique for meta, _ in found]
        count = sum(int(one.visibility[0, k] > 0) for one in labels)
        assert (name, [f"{count}", "100.0", "0.500", "0.500", "0.500"]) in rows


def test_readers_of_results_find_animals_alone(arena, run):
    dataset = arena[1]
    results = json.loads((run / "evaluation/predictions_test.json").read_text())
    assert {row["category_id"] for row in results} == {1}
    assert {len(row["keypoints"]) for row in results} == {3 * dataset.info.num_keypoints}


def test_predictions_without_them_are_read_as_before(arena, tmp_path):
    _, dataset, found = arena
    bare = [(meta, replace(poses, identities=None, unique=None)) for meta, poses in found]
    write_predictions(tmp_path, "test", dataset, bare)
    assert [path.name for path in tmp_path.glob("*.json")] == ["predictions_test.json"]
    read = read_predictions(tmp_path, "test", dataset)
    assert all(poses.unique is poses.identities is None for _, poses in read)
    assert taken_for(dataset, read) is None
    points = points_of(dataset, read)
    assert points.keypoints.max() == dataset.info.num_keypoints - 1
    assert points.found.mean() < 1


def test_what_is_not_there_is_one_line(run, tmp_path, capsys):
    for path in run.glob("evaluation/predictions_*"):
        path.unlink()
    with pytest.raises(DataError, match=r"there are no predictions in .*dlcreg test CHECKPOINT"):
        report(run)
    with pytest.raises(DataError, match="holds no evaluation"):
        report(tmp_path)
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(DataError, match=r"clip\.mp4 is a video: give the \.h5 of its analysis"):
        report(tmp_path / "clip.mp4")
    with pytest.raises(DlcregError, match="give a share above 0"):
        report(run, right_within=0)
    assert main(["report", str(tmp_path / "no")]) == 2
    assert capsys.readouterr().err == f"dlcreg report: there is no {tmp_path / 'no'}\n"


def test_an_analysis_becomes_one_page(tmp_path):
    rng = np.random.default_rng(0)
    points = rng.uniform(5, 40, (6, 1, 2, 2)).astype(np.float32)
    scores = rng.uniform(0, 1, (6, 1, 2)).astype(np.float32)
    info = DatasetInfo(("<nose>", "tail"), skeleton=((0, 1),))
    result = tmp_path / "clipDLC_X.h5"
    build_writer("h5").write(Recording(points, scores, scores.mean(-1), info), result)
    frame = encodable(np.full((48, 64, 3), 120, np.uint8))
    write_video(tmp_path / "clip.mp4", [(frame, t / 2) for t in range(6)], 2)
    path = report(result, worst=2)
    assert path == tmp_path / "clipDLC_X_report.html"
    page = Page(path.read_text())
    assert page.fetched == []
    assert len(page.images) == 4 + 2
    assert sum(alt.startswith("frame ") for alt in page.images) == 2
    assert "<nose>" not in path.read_text()

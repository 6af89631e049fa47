"""A report is one page that needs nothing else, and tells what the numbers say."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

from dlcreg.analysis.encoding import encodable, write_video
from dlcreg.analysis.formats import build_writer
from dlcreg.apis.report import report
from dlcreg.cli import main
from dlcreg.data import PoseDataset
from dlcreg.data.proposals import Proposals
from dlcreg.errors import DataError, DlcregError
from dlcreg.recording import Recording
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


@pytest.fixture
def run(demo_project, tmp_path):
    """A run whose model finds each point two pixels beside its label, but the first ones not."""
    part = {"type": "PoseDataset", "project": {"root": str(demo_project)}}
    dataset = PoseDataset(str(demo_project), mode="test")
    found = []
    for meta in dataset.image_metas():
        points = torch.tensor(dataset.annotations(meta.image_id).keypoints)[None] + 2
        scores = torch.full(points.shape[:3], 0.8)
        points[..., 0, :] += 60
        scores[..., 0] = 0.1
        found.append((meta, Poses(points, scores, scores.mean(-1), torch.ones(1, 1, dtype=bool))))
    folder = tmp_path / "run/evaluation"
    Proposals.from_poses(found).write(folder / "predictions_test.json")
    (folder / "metrics.json").write_text(json.dumps({"test": {"mean_error_px": 2.5, "x": None}}))
    known = {
        "dlcreg": "1", "torch": "2", "measured": {"checkpoint": "<b>epoch_1.pth"},
        "config": {"data": {"train": part, "test": {**part, "mode": "test"}}},
        "parts": [dict(name="N", registry="heads", distribution="d", version="1", target="t")],
    }  # fmt: skip
    (folder / "provenance.json").write_text(json.dumps(known))
    (folder.parent / "metrics.csv").write_text("epoch,lr,train/loss\n1,0.1,2\n2,0.1,1\n")
    return folder.parent


def test_an_evaluation_becomes_one_page(run, capsys):
    assert main(["report", str(run), "--worst", "1"]) == 0
    path = run / "evaluation/report.html"
    assert capsys.readouterr().out.startswith(f"{path} (")
    text = path.read_text()
    page = Page(text)
    assert page.fetched == []
    assert len(page.ids) == len(set(page.ids))
    assert len(page.images) == 1
    assert "<b>epoch" not in text
    rows = re.findall(r'<tr><th scope="row">(\w+)</th>((?:<td>[^<]*</td>)+)', text)
    told = {name: re.findall(r"<td>([^<]*)</td>", cells) for name, cells in rows}
    assert told["mean_error_px"] == ["2.500"]
    assert told["x"] == ["–"]
    first = next(name for name, cells in told.items() if len(cells) == 3 and cells[0] == "–")
    assert told[first] == ["–", "–", "–"]  # all of its points are wrong: no cut-off helps
    assert path.stat().st_size < 1e6


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

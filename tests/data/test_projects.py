"""DeepLabCut projects: read as they are, or refused in one clear message."""

from __future__ import annotations

import contextlib
import io
import json

import numpy as np
import pandas as pd
import pytest
from pycocotools.coco import COCO

from dlcreg.data.dataset import PoseDataset
from dlcreg.data.project import Project
from dlcreg.errors import DataError, ProjectError


def table_of(path):
    return pd.read_hdf(next((path / "labeled-data").glob("*/*.h5"))).to_numpy(float)


def test_openfield_has_every_label_of_its_table(openfield):
    assert (len(openfield.images), openfield.bodyparts) == (
        116,
        ("snout", "leftear", "rightear", "tailbase"),
    )
    assert openfield.images[0] == "labeled-data/m4s1/img0000.png"
    assert openfield.individuals == ("individual_1",)
    assert not openfield.multianimal
    np.testing.assert_array_equal(openfield.keypoints.reshape(116, -1), table_of(openfield.root))


def test_flies_have_two_individuals_and_a_skeleton(flies):
    assert flies.individuals == ("female", "male")
    assert flies.keypoints.shape == (80, 2, 13, 2)
    assert np.isfinite(flies.keypoints).all(-1).sum() == 2028
    assert ("thorax", "head") in flies.skeleton
    np.testing.assert_array_equal(flies.keypoints.reshape(80, -1), table_of(flies.root))


def test_h5_and_csv_of_real_projects_hold_the_same(openfield, flies, tmp_path):
    for project in (openfield, flies):
        root = tmp_path / project.name
        for source in [project.root / "config.yaml", *project.root.glob("labeled-data/*/*.csv")]:
            target = root / source.relative_to(project.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
        copied = Project(root)
        assert copied.images == project.images
        np.testing.assert_allclose(copied.keypoints, project.keypoints, atol=1e-9)


@pytest.mark.parametrize("style", ["old", "new", "windows"])
@pytest.mark.parametrize("suffix", ["h5", "csv", "both"])
def test_rows_of_every_style_are_read(maker, style, suffix):
    values = maker.labels(style=style, suffix=suffix)
    project = Project(maker.root)
    assert project.images == tuple(f"labeled-data/vid/img{i:02d}.png" for i in range(5))
    np.testing.assert_allclose(project.keypoints.reshape(5, -1), values, atol=1e-6)
    assert len(PoseDataset(project)) == 4


def test_rows_with_absolute_paths_of_another_computer_are_read(maker):
    maker.labels(style="windows", prefix="D:\\lab\\old-name\\")
    project = Project(maker.root)
    assert project.images[0] == "labeled-data/vid/img00.png"
    assert len(PoseDataset(project)) == 4


def test_a_moved_project_and_a_renamed_folder_are_read(maker, tmp_path):
    maker.labels()
    (maker.root / "labeled-data" / "vid").rename(maker.root / "labeled-data" / "renamed")
    moved = maker.root.rename(tmp_path / "moved")
    project = Project(moved)
    assert project.images[0] == "labeled-data/renamed/img00.png"
    assert len(PoseDataset(project)) == 4


def test_folders_of_videos_that_are_no_longer_listed_are_left_out_with_a_word(maker, caplog):
    maker.labels()
    maker.labels(video="removed")
    assert Project(maker.root).videos == ("vid",)
    assert "labeled-data/removed are left out" in caplog.text


def test_unique_body_parts_are_kept_apart(maker, tmp_path):
    maker.write_config(
        multianimalproject=True,
        individuals=["a", "b"],
        multianimalbodyparts=["nose", "leftear"],
        uniquebodyparts=["corner"],
        bodyparts="MULTI!",
    )
    columns = [("ann", who, part, c) for who in "ab" for part in ("nose", "leftear") for c in "xy"]
    columns += [("ann", "single", "corner", c) for c in "xy"]
    names = ["scorer", "individuals", "bodyparts", "coords"]
    frame = pd.DataFrame(
        [np.arange(10.0), [*np.arange(8.0), np.nan, np.nan]],
        index=pd.MultiIndex.from_product([["labeled-data"], ["vid"], ["img0.png", "img1.png"]]),
        columns=pd.MultiIndex.from_tuples(columns, names=names),
    )
    folder = maker.root / "labeled-data" / "vid"
    folder.mkdir(parents=True)
    frame.to_csv(folder / "CollectedData_ann.csv")
    project = Project(maker.root)
    assert project.keypoints.shape == (2, 2, 2, 2)
    assert project.unique_bodyparts == ("corner",)
    np.testing.assert_array_equal(project.unique_keypoints[:, 0], [[8, 9], [np.nan, np.nan]])


def test_a_keypoint_in_no_frame_and_half_a_label_are_no_labels(maker):
    values = np.full((5, 6), 20.0)
    values[:, 2:4] = np.nan
    values[0, 5] = np.nan
    maker.labels(values=values)
    dataset = PoseDataset(maker.root, split={"train_fraction": 1})
    assert dataset.info.keypoint_names == ("nose", "leftear", "rightear")
    assert dataset[0].instances.visibility.tolist() == [[2, 0, 0]]
    assert dataset[1].instances.visibility.tolist() == [[2, 0, 2]]


def test_frames_without_a_label_are_left_out_of_split_and_samples(maker):
    values = np.full((5, 6), 20.0)
    values[2] = np.nan
    maker.labels(values=values)
    project = Project(maker.root)
    assert len(project.images) == 5
    assert "labeled-data/vid/img02.png" not in project.labelled
    assert len(PoseDataset(project, split={"train_fraction": 1})) == 4


def test_labels_outside_the_frame_are_no_labels(maker):
    values = np.full((5, 6), 20.0)
    values[:, 0] = 70  # the frame is 64 wide
    values[:, 3] = -3
    maker.labels(values=values)
    dataset = PoseDataset(maker.root, split={"train_fraction": 1})
    assert dataset[0].instances.visibility.tolist() == [[0, 0, 2]]
    assert dataset.annotations(0).visibility.tolist() == [[0, 0, 2]]
    assert dataset.annotations(0).keypoints[0, 0].tolist() == [0, 0]


def test_frames_of_two_sizes_are_read(maker):
    maker.write_config(video_sets={"videos/vid.avi": {}, "videos/other.avi": {}})
    maker.labels()
    maker.labels(video="other", size=(30, 100))
    dataset = PoseDataset(maker.root, split={"train_fraction": 1})
    assert {dataset[i].meta.size for i in range(len(dataset))} == {(48, 64), (30, 100)}


def test_an_empty_video_folder_is_no_obstacle(maker):
    maker.labels()
    (maker.root / "labeled-data" / "empty").mkdir()
    assert len(Project(maker.root).images) == 5


def test_a_row_that_stands_twice_is_read_once_if_equal(maker):
    maker.labels(suffix="csv")
    path = maker.root / "labeled-data" / "vid" / "CollectedData_ann.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[-1]]))
    assert len(Project(maker.root).images) == 5
    path.write_text("\n".join([*lines, lines[-1].rsplit(",", 1)[0] + ",1.5"]))
    with pytest.raises(ProjectError, match=r"img04.png is labelled twice, with different labels"):
        Project(maker.root)


def test_an_image_that_a_row_names_is_meant_whatever_the_tables_folder(maker):
    maker.write_config(video_sets={"videos/vid.avi": {}, "videos/other.avi": {}})
    values = maker.labels(2)
    maker.labels(3, video="other", suffix="h5")
    path = maker.root / "labeled-data" / "vid" / "CollectedData_ann.csv"
    path.with_suffix(".h5").unlink()
    path.write_text(path.read_text() + "labeled-data,other,img02.png,9,9,9,9,9,9\n")
    with pytest.raises(ProjectError) as caught:
        Project(maker.root)
    assert str(caught.value).startswith("labeled-data/other/img02.png is labelled in ")
    (maker.root / "labeled-data" / "other" / "CollectedData_ann.h5").unlink()
    project = Project(maker.root)
    assert project.images[0] == "labeled-data/other/img02.png"
    np.testing.assert_allclose(project.keypoints[1:].reshape(2, -1), values)


def test_two_rows_that_mean_one_image_are_refused(maker):
    maker.labels(2, suffix="csv")
    path = maker.root / "labeled-data" / "vid" / "CollectedData_ann.csv"
    path.write_text(path.read_text() + "labeled-data,gone,img01.png,9,9,9,9,9,9\n")
    assert refused(maker.root) == (
        f"labeled-data/vid/img01.png is labelled twice in {path}, with different labels; "
        "remove the row that is wrong, or correct its folder"
    )


def test_reading_writes_nothing(maker, digest):
    maker.labels()
    before = digest(maker.root)
    project = Project(maker.root)
    project.train_test_split()
    project.to_coco()
    dataset = PoseDataset(project)
    [dataset[i] for i in range(len(dataset))]
    assert digest(maker.root) == before


# -- refusals ----------------------------------------------------------------------------------


def refused(root) -> str:
    with pytest.raises(ProjectError) as caught:
        Project(root)
    return str(caught.value)


def test_a_folder_that_is_none_is_refused(tmp_path):
    assert refused(None) == "a project is given by the path of its folder, not by None"
    assert refused(tmp_path / "no") == f"there is no project folder {tmp_path / 'no'}"
    assert refused(tmp_path) == f"{tmp_path} is no DeepLabCut project: it has no config.yaml"


def test_malformed_yaml_is_refused_with_its_place(maker):
    path = maker.root / "config.yaml"
    path.write_text("scorer: ann\nbodyparts: [a, b\nTask: x\n")
    assert refused(maker.root).startswith(f"{path}:3:")
    path.write_text("just words")
    assert "holds no settings" in refused(maker.root)


def test_a_config_without_what_is_needed_is_refused(maker):
    path = maker.root / "config.yaml"
    path.write_text("scorer: ann\nbodypart: [a]\n")
    assert refused(maker.root) == (f"{path} has no 'bodyparts'. Did you misspell it as 'bodypart'?")
    path.write_text("scorer: ann\nbodyparts: nose\n")
    assert refused(maker.root) == f"{path}: bodyparts must be a list of names, not 'nose'"
    path.write_text("scorer: ann\nbodyparts: [nose, nose]\n")
    assert refused(maker.root) == f"{path}: bodyparts names 'nose' twice"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"skeleton": 5}, "skeleton must be a list of pairs of names, not 5"),
        ({"video_sets": 5}, "video_sets must map the paths of videos to their settings, not be 5"),
    ],
)
def test_settings_of_another_kind_are_refused(maker, change, message):
    maker.labels()
    maker.write_config(**change)
    assert refused(maker.root) == f"{maker.root / 'config.yaml'}: {message}"


def test_a_project_without_labels_is_refused(maker):
    assert refused(maker.root).endswith("has no folder labeled-data: nothing is labelled")
    (maker.root / "labeled-data" / "vid").mkdir(parents=True)
    assert refused(maker.root).endswith(
        "has no CollectedData_ann.h5 or .csv in any folder; label frames first"
    )


def test_labels_of_another_scorer_are_refused_with_the_remedy(maker):
    maker.labels()
    maker.write_config(scorer="bob")
    assert "its labels are by 'ann': set scorer: ann in config.yaml" in refused(maker.root)


def test_a_damaged_table_is_refused_by_name(maker):
    maker.labels(suffix="h5")
    path = maker.root / "labeled-data" / "vid" / "CollectedData_ann.h5"
    path.write_bytes(path.read_bytes()[:1000])
    message = refused(maker.root)
    assert message.startswith(f"{path} cannot be read as a label table: truncated file: ")
    assert message.endswith("delete it so that the csv file beside it is read")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda text: text[:-12],
            "line 8 (labeled-data): 8 cells where the header has 9; was the file cut off?",
        ),
        (
            lambda text: text.replace(".", ",").replace(",png", ".png"),
            "line 4 (labeled-data): 15 cells where the header has 9; have numbers decimal commas?",
        ),
        (
            lambda text: text.replace("rightear\n", "\n").replace("rightear,", "", 1),
            "line 2 (bodyparts): 8 cells where the header has 9; was the file cut off?",
        ),
    ],
)
def test_a_csv_whose_rows_do_not_fit_its_header_is_refused(maker, change, message):
    maker.labels(values=np.full((5, 6), 20.125), suffix="csv")
    path = maker.root / "labeled-data" / "vid" / "CollectedData_ann.csv"
    path.write_text(change(path.read_text()))
    assert refused(maker.root) == (f"{path}, {message} Restore the file, or correct the line")


def test_a_csv_may_have_empty_cells_more_and_tells_where_it_may_have_been_cut(maker, caplog):
    values = maker.labels(suffix="csv")
    path = maker.root / "labeled-data" / "vid" / "CollectedData_ann.csv"
    text = path.read_text()
    path.write_text(text.replace("\n", ",,\n"))
    np.testing.assert_allclose(Project(maker.root).keypoints.reshape(5, -1), values)
    assert caplog.records == []
    path.write_text(text[:-1])
    Project(maker.root)
    assert f"{path} ends within a line: if it was cut off, its last number" in caplog.text


def test_a_word_among_numbers_is_refused_with_its_cell(maker):
    maker.labels(suffix="csv")
    path = maker.root / "labeled-data" / "vid" / "CollectedData_ann.csv"
    lines = path.read_text().splitlines()
    lines[3] = lines[3].rsplit(",", 1)[0] + ",abc"
    path.write_text("\n".join(lines))
    assert refused(maker.root) == (
        f"{path}, row labeled-data/vid/img00.png, rightear y: 'abc' is not a number"
    )


def test_a_file_that_is_no_table_is_refused(maker):
    maker.labels(suffix="csv")
    path = maker.root / "labeled-data" / "vid" / "CollectedData_ann.csv"
    path.write_text("a,b\n1,2\n")
    assert "header rows scorer, [individuals,] bodyparts, coords; this one has none" in refused(
        maker.root
    )


def test_single_and_multi_animal_are_not_confused(maker):
    maker.labels()
    maker.write_config(
        multianimalproject=True,
        individuals=["a"],
        multianimalbodyparts=["nose"],
        bodyparts="MULTI!",
    )
    assert "is a single-animal table, but config.yaml says multianimalproject: true" in refused(
        maker.root
    )


def test_body_parts_that_no_table_has_are_refused(maker):
    maker.labels()
    maker.write_config(bodyparts=["paw"])
    message = refused(maker.root)
    assert "(paw) are in no label table. The tables have: leftear, nose, rightear" in message


def test_an_individual_that_the_config_lacks_is_refused(maker):
    maker.write_config(
        multianimalproject=True,
        individuals=["a"],
        multianimalbodyparts=["nose", "leftear", "rightear"],
        bodyparts="MULTI!",
    )
    maker.labels(individuals=("a", "b"))
    assert "has labels of individual 'b', which config.yaml does not list" in refused(maker.root)


def test_missing_images_are_named_and_can_be_left_out(maker, caplog):
    maker.labels()
    (maker.root / "labeled-data" / "vid" / "img03.png").unlink()
    with pytest.raises(DataError, match=r"1 of 5 labelled images are missing: .*img03.png"):
        PoseDataset(maker.root, split={"train_fraction": 1})
    dataset = PoseDataset(maker.root, split={"train_fraction": 1}, missing_images="skip")
    assert len(dataset) == 4
    assert "1 labelled images are missing and left out" in caplog.text


def test_nan_everywhere_is_refused(maker):
    maker.labels(values=np.full((5, 6), np.nan))
    with pytest.raises(DataError, match="has no labelled"):
        PoseDataset(maker.root)


# -- COCO --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["openfield", "flies", "herd"])
def test_to_coco_is_loaded_by_pycocotools(name, request, tmp_path):
    project = request.getfixturevalue(name)
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(project.to_coco()))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(path))
    animals = np.isfinite(project.keypoints).all(-1).any(-1)
    assert len(coco.getAnnIds()) == animals.sum()
    assert coco.cats[1]["keypoints"] == list(project.bodyparts)
    first = coco.loadAnns(coco.getAnnIds(imgIds=1))[0]
    points = np.array(first["keypoints"]).reshape(-1, 3)
    expected = np.nan_to_num(project.keypoints[0, np.flatnonzero(animals[0])[0]])
    np.testing.assert_allclose(points[:, :2], expected)
    assert first["num_keypoints"] == (points[:, 2] > 0).sum()


def test_to_coco_takes_chosen_images(openfield):
    coco = openfield.to_coco(openfield.images[:3])
    assert [image["file_name"] for image in coco["images"]] == list(openfield.images[:3])
    assert coco["images"][0]["width"] == 640
    with pytest.raises(DataError, match="has no labels for labeled-data/x"):
        openfield.to_coco(["labeled-data/x"])


def test_to_coco_leaves_out_labels_outside_the_image(maker):
    values = np.full((2, 6), 20.0)
    values[0, :2] = 1e6, 5
    values[1, :] = -40
    maker.labels(values=values)
    (animal,) = Project(maker.root).to_coco()["annotations"]
    assert animal["keypoints"] == [0, 0, 0, 20, 20, 2, 20, 20, 2]
    assert animal["bbox"] == [20, 20, 1, 1]
    assert (animal["image_id"], animal["num_keypoints"]) == (1, 2)

"""Galleries: the agw draw is Python's generator, the official one the .mat file, nothing else."""

import random
from pathlib import Path

import numpy as np
import pytest

from mscm_lib.data import ImageTable, open_dataset
from mscm_lib.data.draws import agw_draw, official_draw
from mscm_lib.errors import ConfigError, DataError


def walk(root, trial, identities, cameras, folder):
    """The field's procedure on the disk: seed once, one choice for each identity and camera."""
    random.seed(trial)
    drawn = []
    for name in sorted(f"{identity:04d}" for identity in identities):
        for camera in cameras:
            here = Path(root) / folder / f"cam{camera}" / name
            if here.is_dir():
                drawn.append(random.choice(sorted(str(path) for path in here.iterdir())))
    return [str(Path(path).relative_to(root)) for path in drawn]


@pytest.mark.parametrize("trial", range(10))
@pytest.mark.parametrize(("search", "cameras"), [("all", (1, 2, 4, 5)), ("indoor", (1, 2))])
def test_sysu_agw_is_random_choice(tree, trial, search, cameras):
    root = tree("sysu")
    gallery = open_dataset("sysu", root).gallery(search=search, trial=trial)
    assert list(gallery.paths) == walk(root, trial, (4, 5), cameras, "")
    assert gallery.cams.tolist() == list(cameras) * 2
    assert gallery.ids.tolist() == [4] * len(cameras) + [5] * len(cameras)


@pytest.mark.parametrize("trial", [0, 7])
def test_llcm_draws_the_other_modality(tree, trial):
    root = tree("llcm")
    data = open_dataset("llcm", root)
    visible = data.gallery(search="infrared-to-visible", trial=trial)
    assert list(visible.paths) == walk(root, trial, (3, 14), range(1, 10), "test_vis")
    infrared = data.gallery(search="visible-to-infrared", trial=trial)
    assert list(infrared.paths) == walk(root, trial, (3, 14), (1, 2, 4, 5, 6, 7, 8, 9), "test_nir")
    assert infrared.infrared.all() and not visible.infrared.any()


def test_trials_differ_and_repeat(tree):
    data = open_dataset("sysu", tree("sysu"))
    galleries = [data.gallery(trial=trial).paths for trial in range(10)]
    assert len(set(galleries)) == 10
    assert data.gallery(trial=3).paths == galleries[3]


def test_no_draw_touches_the_global_random_state(tree):
    data = {name: open_dataset(name, tree(name, name)) for name in ("sysu", "llcm", "regdb")}
    python, numpy = random.getstate(), repr(np.random.get_state())  # noqa: NPY002
    for one in data.values():
        one.train("held-out")
        one.validation()
        for search in one.searches:
            one.gallery(search)
    data["sysu"].gallery(draw="official", shots=10)
    assert random.getstate() == python
    assert repr(np.random.get_state()) == numpy  # noqa: NPY002


def test_multi_shot_draws_ten_different_images_a_cell(tree):
    data = open_dataset("sysu", tree("sysu"))
    gallery = data.gallery(shots=10, trial=2)
    assert len(gallery) == 80 and len(set(gallery.paths)) == 80
    cells = list(zip(gallery.ids.tolist(), gallery.cams.tolist(), strict=True))
    assert all(cells.count(cell) == 10 for cell in cells)
    generator = random.Random(2)
    files = sorted(p for p in data.gallery_pool().paths if p.startswith("cam1/0004/"))
    assert list(gallery.paths[:10]) == generator.sample(files, 10)


def test_official_is_the_mat_file(tree, forms):
    root = tree("sysu")
    cells = forms.permutations(root, seed=5)
    forms.save_permutations(root, cells)
    data = open_dataset("sysu", root)
    for trial, shots, search, cameras in ((0, 1, "all", (1, 2, 4, 5)), (9, 10, "indoor", (1, 2))):
        expected = []
        for identity in (4, 5):
            for camera in cameras:
                files = sorted((root / f"cam{camera}/{identity:04d}").iterdir())
                places = cells[camera - 1, 0][identity - 1, 0][trial, :shots].astype(int)
                expected += [str(files[place - 1].relative_to(root)) for place in places]
        found = data.gallery(search, trial=trial, draw="official", shots=shots)
        assert list(found.paths) == expected


def test_official_needs_its_permutations(tree):
    root = tree("sysu")
    (root / "exp/rand_perm_cam.mat").unlink()
    data = open_dataset("sysu", root)
    assert len(data.gallery(draw="agw")) == 8
    with pytest.raises(DataError, match=r"rand_perm_cam\.mat: no valid permutation.*draw = 'agw'"):
        data.gallery(draw="official")


def test_a_cell_with_fewer_images_gives_all():
    pool = ImageTable.from_rows([(f"cam1/0001/{i}.jpg", 1, 1, False) for i in range(3)])
    assert sorted(agw_draw(pool, 0, 10).paths) == sorted(pool.paths)
    order = {(1, 1): np.array([[3, 1, 2]])}
    assert official_draw(pool, 0, 10, order).paths == tuple(pool.paths[i] for i in (2, 0, 1))


def test_identities_come_in_the_order_of_their_names():
    rows = [(f"cam1/{name}/1.jpg", int(name), 1, False) for name in ("10000", "9999", "0002")]
    assert agw_draw(ImageTable.from_rows(rows), 0, 1).ids.tolist() == [2, 10000, 9999]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("sysu", {"search": "outdoor"}, "search = 'outdoor': expected one of 'all', 'indoor'"),
        ("sysu", {"trial": 10}, "trial = 10: expected one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        ("sysu", {"trial": True}, "trial = True"),
        ("sysu", {"draw": "random"}, "draw = 'random': expected one of 'agw', 'official'"),
        ("sysu", {"shots": 5}, "shots = 5: expected one of 1, 10"),
        ("regdb", {"search": "all"}, "expected one of 'visible-to-thermal', 'thermal-to-visible'"),
        ("regdb", {"trial": 0}, "trial = 0: expected one of 1, 2, 3"),
        ("regdb", {"shots": 10}, "shots = 10: expected one of 1"),
        ("llcm", {"search": "visible-to-thermal"}, "expected one of 'infrared-to-visible', 'vis"),
        ("llcm", {"draw": "official"}, "draw = 'official': expected one of 'agw'"),
    ],
)
def test_mistakes_name_what_is_allowed(tree, name, arguments, message):
    with pytest.raises(ConfigError) as caught:
        open_dataset(name, tree(name)).gallery(**arguments)
    assert message in str(caught.value)

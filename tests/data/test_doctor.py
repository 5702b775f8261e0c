"""The doctor's report: counts, findings, text; healthy trees stay without findings."""

import shutil

import numpy as np
import pytest
from scipy.io import savemat

from mscm_lib.data import open_dataset
from mscm_lib.data.doctor import diagnose
from mscm_lib.errors import ConfigError

NAMES = ("sysu", "regdb", "llcm")
IMAGE, OTHER = "cam1/0004/0003.jpg", "cam1/0005/0001.jpg"
MAT = "exp/rand_perm_cam.mat"


@pytest.mark.parametrize("name", NAMES)
def test_a_healthy_tree_has_no_finding_but_its_counts(tree, name):
    diagnosis = diagnose(name, tree(name), progress=False)
    assert diagnosis.healthy
    differing = sum(not count.agrees for count in diagnosis.counts)
    expected = f"{differing} of {len(diagnosis.counts)} counts are not the published ones"
    assert [finding.message for finding in diagnosis.findings] == [expected]
    assert "Nothing keeps this dataset from being used." in diagnosis.render()


def test_many_findings_of_a_kind_are_shortened_in_the_text_alone(tree, forms):
    root = tree("sysu")
    paths = open_dataset("sysu", root).query().paths + open_dataset("sysu", root).train().paths
    for path in paths[:30]:
        forms.put(root, path, b"")
    diagnosis = diagnose("sysu", root, progress=False)
    assert sum(f.message == "has zero bytes" for f in diagnosis.findings) == 30
    assert "and 22 more like this" in diagnosis.render()


def test_without_decoding_headers_are_still_read(tree, forms):
    root = tree("sysu")
    forms.put(root, IMAGE, forms.TINY[:-60])
    forms.put(root, OTHER, b"")
    assert {f.path for f in diagnose("sysu", root, progress=False).findings} >= {IMAGE, OTHER}
    quick = {f.path for f in diagnose("sysu", root, decode=False, progress=False).findings}
    assert OTHER in quick and IMAGE not in quick


def test_counts_stand_beside_the_published(tree):
    counts = {c.what: c for c in diagnose("regdb", tree("regdb"), progress=False).counts}
    count = counts["training images of each split, visible"]
    assert (count.found, count.published, count.agrees) == (4, 2060, False)
    assert counts["complete splits"].agrees


def test_a_gallery_of_an_incomplete_split_is_refused(tree, forms):
    root = tree("regdb")
    (root / "idx/test_thermal_3.txt").unlink()
    data = open_dataset("regdb", root)
    assert list(data.trials) == [1, 2, 4, 5, 6, 7, 8, 9, 10]
    with pytest.raises(ConfigError, match="trial = 3: expected one of 1, 2, 4"):
        data.train(trial=3)


def test_matlab_73_files_are_named(tree, forms):
    root = tree("sysu")
    savemat(root / MAT, {"rand_perm_cam": 1})
    content = bytearray((root / MAT).read_bytes())
    content[124:126] = b"\x00\x02"  # version 2: HDF5 inside
    (root / MAT).write_bytes(content)
    found = [f for f in diagnose("sysu", root, progress=False).findings if f.path == MAT]
    assert found and "is not readable as a MATLAB file" in found[0].message


def test_an_unknown_name_is_a_mistake_of_the_caller(tmp_path):
    with pytest.raises(ConfigError, match="unknown dataset"):
        diagnose("market", tmp_path)


def test_a_generated_folder_is_looked_over(tmp_path):
    from mscm_lib.data.generated import GeneratedSettings, generate

    settings = GeneratedSettings(train_identities=2, test_identities=2, shots=2)
    generate(settings, tmp_path / "drawn", 32, 16, progress=False)
    diagnosis = diagnose("generated", tmp_path / "drawn", progress=False)
    assert diagnosis.healthy and not diagnosis.findings and diagnosis.checked == 4 * 6 * 2
    pixels = np.load(tmp_path / "drawn/images.npy")
    pixels[7] = 0
    np.save(tmp_path / "drawn/images.npy", pixels)
    (finding,) = diagnose("generated", tmp_path / "drawn", progress=False).findings
    assert finding.message == "row 7 is blank" and finding.severity == "error"
    shutil.rmtree(tmp_path / "drawn")
    (finding,) = diagnose("generated", tmp_path / "drawn", progress=False).findings
    assert finding.severity == "fatal"


def test_the_text_reads_from_the_worst_to_the_least(tree, forms):
    root = tree("sysu")
    forms.put(root, "exp/val_id.txt", "3,4\n")
    forms.put(root, IMAGE, b"")
    diagnosis = diagnose("sysu", root, progress=False)
    assert list(diagnosis.table().columns) == ["severity", "path", "message", "remedy"]
    assert diagnosis.table()["severity"].tolist() == ["fatal", "error", "warning"]
    text = diagnosis.render()
    assert text.index("FATAL   exp/test_id.txt: identity 4 is also in exp/val_id.txt") < text.index(
        "ERROR   cam1/0004/0003.jpg: has zero bytes"
    )
    assert "-> copy the file again from the release" in text
    assert text.endswith("Mend what is named above, then run the doctor again.")

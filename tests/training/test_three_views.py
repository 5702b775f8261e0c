"""Trainings without the infrared channel view, as methods of other kinds have them."""

import pytest
import torch
from safetensors.torch import load_file

from mscm_lib.training import train

CAJ = {"streams": "dual", "metric_loss": "squared-triplet"}
HAT = {"streams": "quadruple-shared", "metric_loss": "tri-directional", "gray_bridge": True}


@pytest.mark.parametrize("method", [CAJ, HAT])
def test_a_run_of_three_views_trains_and_shows_what_it_has(tiny, tmp_path, method):
    config = tiny.replace(views=3, multi_scale="none", **method)
    lines = []
    result = train(config, tmp_path / "out", tmp_path / "state", log=lines.append)
    assert "24 images a step" in lines[0]
    assert result.history["cka_stem_visible"].notna().all()
    assert result.history["cka_stem_infrared"].isna().all()
    assert (result.history["metric_loss"] > 0).all()
    start = train(config.replace(epochs=0), tmp_path / "start", tmp_path / "state")
    before, after = load_file(start.weights), load_file(result.weights)
    still = [name for name in before if torch.equal(before[name], after[name])]
    assert still == ["head.neck.bias"]

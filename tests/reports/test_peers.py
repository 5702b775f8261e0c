"""A study beside its peers: claims, runs by others, runs here and its own, each with its protocol."""

import pandas as pd
import pytest
import yaml

from mscm_lib import cli
from mscm_lib.errors import ConfigError, DataError
from mscm_lib.reports.measured import measured
from mscm_lib.reports.peers import AGAIN, CLAIM, HERE, OWN, SAME, peers_of, peers_table
from mscm_lib.reports.published import ASPECTS, protocols, published_figures
from mscm_lib.study.settings import load_study, read_study, study_path
from tests.reports.finished import write_study


def study(name="sysu", **changes):
    values = yaml.safe_load(study_path(name).read_text()) | changes
    return read_study(study_path(name), yaml.safe_dump(values))


def test_claims_runs_by_others_runs_here_and_own_ones_stand_in_one_table(tmp_path):
    write_study(tmp_path, "sysu")
    (tmp_path / "sysu").rename(tmp_path / "others")
    write_study(tmp_path, "sysu", networks=("mscmnet",))
    table = peers_table(study(peers=["PMT", "MSCMNet"]), measured(tmp_path))
    assert [*table.index] == [
        ("PMT", CLAIM), ("PMT", AGAIN), ("MSCMNet", CLAIM),
        ("mscmnet (others)", HERE), ("mscmnet", OWN), ("baseline", OWN),
    ]  # fmt: skip
    assert table["R1"].tolist()[:3] == ["67.53", "69.23", "78.53"]
    assert table.loc[("mscmnet", OWN), "mAP"] == "50.50 [45.0, 55.0]"
    assert table.loc[("baseline", OWN), "mAP"] == "not run here"


def test_a_protocol_is_the_same_only_where_every_choice_is_stated(tmp_path):
    found = measured(write_study(tmp_path, "sysu"))
    same = peers_table(study(), found)[SAME]
    assert same["MSCMNet", CLAIM] == "no: epoch" and same["CAJ", CLAIM] == "no: flip, epoch"
    assert same["PDM", CLAIM] == "not stated: draw, feature, flip, epoch"
    assert same["mscmnet", OWN] == same["baseline", OWN] == "yes"
    assert not (same.drop(OWN, level="whose") == "yes").any()


def test_a_study_that_chooses_as_the_release_does_differs_from_its_claim_in_nothing_known():
    run = {"selection": "best-test", "validate_every": 1, "backbone": "resnet50"}
    same = peers_table(study(run=run), measured("nowhere"))[SAME]
    assert same["MSCMNet", CLAIM] == "not stated: flip"
    run |= {"draw": "official", "flip": True}
    assert peers_table(study(run=run), measured("nowhere"))[SAME]["MSCMNet", CLAIM] == "no: draw"


def test_the_two_scorings_of_llcm_are_two_protocols():
    back = "visible-to-infrared"
    for scoring, differs in (("direct", "swapped"), ("swapped", "direct")):
        table = peers_table(load_study("llcm"), measured("nowhere"), back, scoring)
        claims = table.xs(CLAIM, level="whose")
        assert claims.loc[claims["scoring"] == differs, SAME].str.startswith("no: scoring").all()
        assert (table.xs(OWN, level="whose")["scoring"] == scoring).all()
        assert "not stated" in claims.loc["BIT", "scoring"]
    with pytest.raises(ConfigError, match="unknown search 'visible-to-infrared, both'"):
        peers_table(load_study("llcm"), measured("nowhere"), back, "both")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peers": ["MSCMnet"]}, "unknown method in .*: peers 'MSCMnet'; did you mean 'MSCMNet'"),
        ({"peers": ["IRL"]}, "unknown method in .* 'IRL'"),  # on LLCM alone
        ({"peers": "AGW"}, "peers = 'AGW': expected a list of names"),
        ({"peers": ["AGW", "AGW"]}, "no repeats"),
        ({"peers": []}, "expected a list of names"),
    ],
)
def test_a_wrong_peer_is_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        peers_of(study(**changes))


def test_images_that_nothing_is_in_print_about_have_no_peers_there():
    with pytest.raises(ConfigError, match="nothing is in print about images of the reader 'gen"):
        peers_of(load_study("quick"))


def test_mscm_check_names_the_peers_and_refuses_a_wrong_one(tmp_path, capsys):
    path = tmp_path / "sysu/study.yaml"
    path.parent.mkdir()
    for names, status, said in ((["AGW"], 0, "beside AGW"), (["AWG"], 2, "did you mean 'AGW'")):
        values = yaml.safe_load(study_path("sysu").read_text()) | {"peers": names}
        path.write_text(yaml.safe_dump(values))
        assert cli.main(["check", str(path)]) == status
        assert said in "".join(capsys.readouterr())


def test_every_statement_on_a_protocol_has_a_source_and_one_value(tmp_path):
    table = protocols()
    assert {*table["aspect"]} <= {*ASPECTS} and (table["source"] != "").all()
    assert {*table["method"]} - {"*"} <= {*published_figures()["method"]}
    row = {"method": "AGW", "dataset": "sysu", "aspect": "draw", "value": "agw", "source": "x"}
    for rows, message in (
        ([row | {"aspect": "drawn"}], "line 2: unknown aspect 'drawn'; did you mean 'draw'"),
        ([row | {"method": "AGV"}], "did you mean 'AGW'"),
        ([row | {"source": ""}], "line 2: no source"),
        ([row, row], "AGW, sysu, draw: stands there twice"),
    ):
        pd.DataFrame(rows).to_csv(tmp_path / "protocols.csv", index=False)
        with pytest.raises(DataError, match=message):
            protocols(tmp_path / "protocols.csv")

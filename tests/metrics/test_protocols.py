"""Protocols spelt out: what the name says is what is dropped and counted."""

import numpy as np
import pytest

from mscm_lib.data.layouts.table_protocol import TableProtocol
from mscm_lib.errors import ProtocolError
from mscm_lib.metrics import rank_features, rank_metrics
from mscm_lib.protocols import PROTOCOLS, protocol_named

SETTINGS = [
    {},
    {"cmc": "identities", "places": [[3, 2]]},
    {"places": [[3, 2], [3, 1], [4, 2]]},
    {"own_camera": True, "places": [[4, 1]], "cmc": "identities"},
    {"own_camera": True},
]


def by_hand(distances, labels, settings):
    """AP and the first right place of each query, by sorting and leaving out."""
    query_ids, gallery_ids, query_cams, gallery_cams = labels
    found = []
    for row in range(len(query_ids)):
        kept = []
        for column in np.argsort(distances[row], kind="stable").tolist():
            own = gallery_ids[column] == query_ids[row]
            same = own and gallery_cams[column] == query_cams[row]
            pair = [int(query_cams[row]), int(gallery_cams[column])]
            if (settings.get("own_camera") and same) or pair in settings.get("places", []):
                continue
            kept.append(column)
        right = [gallery_ids[column] == query_ids[row] for column in kept]
        ranks = np.flatnonzero(right) + 1
        ap = float(np.mean(np.arange(1, len(ranks) + 1) / ranks)) if len(ranks) else np.nan
        people = list(dict.fromkeys(gallery_ids[kept].tolist()))
        counted = people if settings.get("cmc") == "identities" else None
        if not len(ranks):
            first = np.nan
        else:
            first = 1 + counted.index(query_ids[row]) if counted else int(ranks[0])
        found.append((ap, first))
    return np.array(found)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("seed", range(5))
def test_spelt_rules_rank_as_by_hand(settings, seed):
    draw = np.random.default_rng(seed)
    labels = [draw.integers(0, 5, 12), draw.integers(0, 5, 40)]
    labels += [draw.integers(1, 5, 12), draw.integers(1, 5, 40)]
    features = draw.normal(size=(52, 8)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    query, gallery = features[:12], features[12:]
    name = TableProtocol.from_mapping(settings).rules
    distances = -(query @ gallery.T)
    expected = by_hand(distances, labels, settings)
    found = rank_metrics(distances, *labels, name).queries
    np.testing.assert_allclose(found["ap"], expected[:, 0])
    valid = ~np.isnan(expected[:, 1])
    assert found["first_hit"][valid].tolist() == expected[valid, 1].tolist()
    streamed = rank_features(query, gallery, *labels, name).queries
    np.testing.assert_allclose(streamed["ap"], expected[:, 0])


def test_the_field_s_rules_can_be_spelt():
    spelt = {
        "identities - 3>2": "sysu",
        "images": "regdb",
        "identities - own camera": "llcm",
        "images - own camera": "market",
    }
    for name, known in spelt.items():
        rules, field = protocol_named(name), PROTOCOLS[known]
        assert (rules.unique_identities, rules.own_camera, rules.places, rules.drops) == (
            field.unique_identities,
            field.own_camera,
            field.places,
            field.drops,
        )


@pytest.mark.parametrize("name", ["", "people", "images - 3", "images - own camera - 3>", "3>2"])
def test_anything_else_is_no_protocol(name):
    with pytest.raises(ProtocolError, match="expected one of sysu, regdb"):
        protocol_named(name)

"""A few drawn people in the layout of a dataset of one's own, under its protocol."""

from __future__ import annotations

from mscm_lib.data.emulated.counts import Plan, PlannedImage
from mscm_lib.data.generated.randomness import stream
from mscm_lib.data.layouts.table_protocol import MODALITIES, TableProtocol

PEOPLE = {"train": 12, "val": 4, "test": 8}
SHOTS = 4
SEQUENCES = 2  # of an identity in a camera, where the protocol asks for sequences
_DRAWN_BY = {"visible": (1, 2, 4, 5), "infrared": (3, 6)}  # the generator's cameras


def table_plan(protocol: TableProtocol, seed: int) -> Plan:
    """Images and CSV of `PEOPLE`, seen by every camera that the protocol names, two at least."""
    cameras = _cameras(protocol)
    people = range(1, sum(PEOPLE.values()) + 1)
    meanings = ["path", "identity", "camera", "modality", "split"]
    trials = protocol.trials if isinstance(protocol.trials, tuple) else ()
    meanings += ["trial"] * bool(trials) + ["sequence"] * (protocol.queries == "sequences")
    images: list[PlannedImage] = []
    lines: list[dict[str, object]] = []
    for modality in MODALITIES:
        for place, camera in enumerate(cameras[modality]):
            drawn_by = _DRAWN_BY[modality][place % len(_DRAWN_BY[modality])]
            for person in people:
                for shot in range(SHOTS):
                    path = f"{modality}/camera{camera}/{person:04d}_{shot + 1}.jpg"
                    images.append(PlannedImage(path, person, drawn_by, shot))
                    lines.append(
                        {
                            "path": path,
                            "identity": person,
                            "camera": camera,
                            "modality": protocol.modalities[modality][0],
                            "sequence": shot * SEQUENCES // SHOTS,
                        }
                    )
    rows = [",".join(protocol.column(meaning) for meaning in meanings)]
    for trial in trials or ("",):
        split = _splits(people, seed, trial)
        for line in lines:
            values = line | {"split": split[line["identity"]], "trial": trial}
            rows.append(",".join(str(values[meaning]) for meaning in meanings))
    return Plan(images, {protocol.table: "\n".join(rows) + "\n"})


def _splits(people: range, seed: int, trial: object) -> dict[object, str]:
    order = stream(seed, "table", "split", str(trial)).permutation(people).tolist()
    names = [name for name, count in PEOPLE.items() for _ in range(count)]
    return dict(zip(order, names, strict=True))


def _cameras(protocol: TableProtocol) -> dict[str, list[int]]:
    """The cameras of each modality that the protocol names, filled up to two."""
    found: dict[str, list[int]] = {name: [] for name in MODALITIES}

    def add(modality: str, camera: int) -> None:
        if camera not in found["visible"] + found["infrared"]:
            found[modality].append(camera)

    for search in protocol.searches.values():
        for camera in search.query_cameras:
            add(search.query, camera)
        for camera in search.gallery_cameras:
            add(search.gallery, camera)
    first = next(iter(protocol.searches.values()))
    for query, gallery in protocol.places:
        add(first.query, query)
        add(first.gallery, gallery)
    for modality in MODALITIES:
        number = 1
        while len(found[modality]) < 2:
            add(modality, number)
            number += 1
    return found

"""Make a dataset's packed arrays: draw the generated benchmark, or decode a real dataset once."""

from __future__ import annotations

from mscm_lib.data import PackedDataset, open_dataset, open_packed, pack_dataset
from mscm_lib.paths import resolve
from mscm_lib.study.definition import DataDefinition
from mscm_lib.study.plan import planned_of


def prepare(dataset: str) -> PackedDataset:
    """Pack ``dataset`` as the plan defines it, into ``data/packed/<dataset>``.

    Raises:
        ConfigError: the plan has no such dataset, or a generator setting is wrong.
        DataError: the source folder is missing or broken.
    """
    definition = _planned(dataset)
    if definition.reader == "generated":
        from mscm_lib.data.generated import GeneratedSettings, generate

        settings = GeneratedSettings.preset(**definition.settings)
        generate(settings, definition.folder, definition.height, definition.width)
    else:
        told = definition.settings or None
        source = open_dataset(definition.reader, resolve(definition.source), told)
        pack_dataset(source, definition.folder, definition.height, definition.width)
    return open_packed(definition.folder)


def ensure_prepared(dataset: str) -> PackedDataset:
    """The packed dataset, made now where it is not there yet (as a notebook on its own wants).

    Drawn datasets are drawn again where the arrays are of other settings or another size. Packed
    arrays of a real dataset do without its images, and are taken as they are.
    """
    definition = _planned(dataset)
    if definition.reader != "generated" and (definition.folder / "manifest.json").is_file():
        return open_packed(definition.folder)
    return prepare(dataset)


def _planned(dataset: str) -> DataDefinition:
    values = planned_of(dataset, "data")
    return DataDefinition.from_mapping(values.pop("key"), values, f"plan/data/{dataset}.yaml")

"""Make a dataset's packed arrays: draw the generated benchmark, or decode a real dataset once."""

from __future__ import annotations

from mscm_lib.data import PackedDataset, open_dataset, open_packed, pack_dataset
from mscm_lib.paths import resolve
from mscm_lib.study.settings import DataDefinition, find_study


def prepare(dataset: str) -> PackedDataset:
    """Pack ``dataset`` as its study defines it, into ``data/packed/<dataset>``.

    Raises:
        ConfigError: no study defines the dataset, or a generator setting is wrong.
        DataError: the source folder is missing or broken.
    """
    definition = find_study(dataset).data[dataset]
    if definition.reader == "generated":
        from mscm_lib.data.generated import GeneratedSettings, generate

        settings = GeneratedSettings.preset(**definition.settings)
        generate(settings, definition.folder, definition.height, definition.width)
    else:
        source = open_dataset(definition.reader, resolve(definition.source))
        pack_dataset(source, definition.folder, definition.height, definition.width)
    return open_packed(definition.folder)


def ensure_prepared(dataset: str) -> PackedDataset:
    """The packed dataset, made now where it is not there yet (as a notebook on its own wants)."""
    definition: DataDefinition = find_study(dataset).data[dataset]
    if not (definition.folder / "manifest.json").is_file():
        return prepare(dataset)
    return open_packed(definition.folder)

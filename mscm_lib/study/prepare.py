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
        source = open_dataset(definition.reader, resolve(definition.source), definition.settings)
        pack_dataset(source, definition.folder, definition.height, definition.width)
    return open_packed(definition.folder)


def ensure_prepared(dataset: str) -> PackedDataset:
    """The packed dataset, made now where it is not there yet (as a notebook on its own wants).

    Drawn datasets are drawn again where the arrays are of other settings or another size. Packed
    arrays of a real dataset do without its images, and are taken as they are.
    """
    definition: DataDefinition = find_study(dataset).data[dataset]
    packed = (definition.folder / "manifest.json").is_file()
    if packed and definition.reader != "generated":
        return open_packed(definition.folder)
    return prepare(dataset)

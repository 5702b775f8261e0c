"""Open a dataset by name: from its tree on disk, or from the manifest beside its packed arrays."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from mscm_lib.config import unknown_key
from mscm_lib.data.base import ReidDataset
from mscm_lib.data.faults import Findings
from mscm_lib.data.layouts.llcm import LlcmDataset
from mscm_lib.data.layouts.recognise import TITLES, report_stranger
from mscm_lib.data.layouts.regdb import RegdbDataset
from mscm_lib.data.layouts.sysu import SysuDataset
from mscm_lib.data.layouts.table import TableDataset
from mscm_lib.data.layouts.table_protocol import TableProtocol
from mscm_lib.errors import ConfigError, DataError, StudyError

_LAYOUTS: dict[str, type[ReidDataset]] = {
    "sysu": SysuDataset,
    "regdb": RegdbDataset,
    "llcm": LlcmDataset,
    "table": TableDataset,
}


def open_dataset(
    name: str, root: Path | str, settings: Mapping[str, Any] | None = None
) -> ReidDataset:
    """The dataset ``name`` in the folder ``root``, laid out as its authors released it.

    Args:
        name: ``sysu``, ``regdb``, ``llcm``, ``table`` for a dataset of one's own, or ``generated``
            for a folder of packed arrays that `mscm_lib.data.generated.generate` wrote.
        root: the folder that holds ``cam1`` to ``cam6`` and ``exp`` (SYSU-MM01), ``idx`` and the
            images that it lists (RegDB), ``idx``, ``test_vis`` and ``test_nir`` (LLCM), or a CSV.
        settings: the protocol of a ``table``; see `mscm_lib.data.layouts.table_protocol`.

    Raises:
        ConfigError: an unknown name, or settings that are wrong or not this dataset's to have.
        DataError: the tree cannot be used; the first problem is named, and the doctor's command
            that shows all.
    """
    root = Path(root).expanduser()
    findings = Findings()
    dataset = read_tree(name, root, findings, settings)
    findings.raise_fatal(name, root)
    assert dataset is not None  # read_tree gives None with a fatal finding only
    return dataset


def read_tree(
    name: str, root: Path, findings: Findings, settings: Mapping[str, Any] | None = None
) -> ReidDataset | None:
    """The dataset ``name`` under ``root`` as far as it can be read; problems go to ``findings``.

    Returns:
        None where ``root`` is not the folder of such a dataset at all.

    Raises:
        ConfigError: an unknown name, or settings that are wrong or not this dataset's to have.
    """
    kind = _reader(name)
    protocol = TableProtocol.from_mapping(settings or {}) if name == "table" else None
    if settings and protocol is None:
        raise ConfigError(
            f"settings: the reader {name!r} has none; only 'table' is told how to read"
        )
    if not root.is_dir():
        problem = "is not a folder" if root.exists() else "there is no such folder"
        findings.fatal(".", problem, "give the folder that the dataset was unpacked to")
        return None
    if name in TITLES and report_stranger(name, root, findings):
        return None
    if protocol is not None:
        return TableDataset.read_as(protocol, root, findings)
    dataset = kind.read(root, findings)
    # What a damaged manifest does not say cannot be looked over; a tree can, as far as it goes.
    return None if name == "generated" and findings.worst == "fatal" else dataset


def dataset_from_manifest(manifest: Mapping[str, Any], root: Path | str) -> ReidDataset:
    """The dataset that `ReidDataset.manifest` described, without its tree.

    Args:
        manifest: as JSON gives it back.
        root: where the images were or are; tables do not depend on it.

    Raises:
        DataError: the manifest is not one of this library's, or is damaged.
    """
    try:
        return _reader(manifest["name"]).from_manifest(manifest, Path(root))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, StudyError):
            raise
        raise DataError(
            f"{root}: the manifest is damaged ({type(error).__name__}: {error}); pack again"
        ) from error


def _reader(name: str) -> type[ReidDataset]:
    if name == "generated":
        # By name, so that stages which read packed arrays of a real dataset do not depend on the
        # code that draws people. What is drawn has its version in the arrays' fingerprint.
        found: type[ReidDataset] = import_module("mscm_lib.data.generated.dataset").GeneratedDataset
        return found
    if name not in _LAYOUTS:
        raise ConfigError(unknown_key("dataset", str(name), [*_LAYOUTS, "generated"]))
    return _LAYOUTS[name]

"""Your own multi-scale block, metric loss or backbone: what it is given, and what it must return.

Put it into one Python file, best beside your study: ``studies/<name>/my_parts.py``. In that study's
``study.yaml`` it goes by the file's and its own name; everywhere else (a notebook's ``-p``, Python)
by the file's path from the project's root::

    multi_scale: my_parts:MyBlock                                    # in studies/<name>/study.yaml
    papermill notebooks/10_train.ipynb ... -p multi_scale studies/<name>/my_parts.py:MyBlock

It is a class, or any function that returns an `nn.Module`, called with what stands in brackets.

``multi_scale: MyBlock(scales)``
    ``scales`` is a `mscm_lib.models.mimb.Scales`: channels of the maps before layer 4 by name
    (stem, layer1, layer2, layer3), ``ratios``, how many times finer than layer 3 each is, ``height``
    and ``width`` of layer 3's. ``forward(maps)`` takes the maps by name, each (n, channels, height
    · ratio, width · ratio), and returns layer 4's input, of layer 3's shape (n, C, H, W). In
    training the n rows are the streams' one after another, V_g, V_c, I_g, I_c; at test they are
    images of one modality, and a row's result must not depend on the rows beside it.
``metric_loss: MyLoss(identities, dim)``
    ``identities`` is the number of training classes, ``dim`` that of a feature's channels.
    ``forward(pooled, labels)`` takes features (n, dim), float32, stream by stream (visible rows
    before infrared ones; of all processes), and classes (n,), int64, and returns the loss (),
    float32: finite for features that coincide too, and with a gradient by ``pooled``. It is added
    to cross-entropy with ``metric_weight``.
``backbone: MyBackbone(height, width)``
    for images of that size. Has the modules ``stem``, ``layer1``, …, ``layer4``, which run one after
    the other: image (n, 3, H, W) → stem and layer1 (n, ·, H/4, W/4) → layer2 (·, H/8, W/8) → layer3
    and layer4 (·, H/16, W/16), the last without negative numbers (end with a ReLU). Stems are
    copied for the streams; a layer that is an `nn.Sequential` gets non-local blocks between its
    parts. ``weights`` is "none", or the path of a state dict of the whole.

All three: every trained parameter gets a gradient (several processes cannot average what has
none). What must outlast an interruption or be saved is a parameter or a buffer, never a plain
attribute: an object built anew, with the state dict of another, computes the same. New tensors are
made on the device of the inputs. Inputs are left as they are, and so is PyTorch's seed. Under
autocast the maps come in bfloat16 or float16, as what is returned may be. The file may import
installed packages and `mscm_lib`; other files of yours it cannot see, so that this one file is all
that a result depends on: its content takes part in the run's fingerprint and stands in its record.

All of this is checked on noise when the network or the loss is built, before any step of training;
what fails is one `ConfigError` that says which rule, what was found and what to do.
"""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mscm_lib.errors import ConfigError, StudyError
from mscm_lib.files import file_digest
from mscm_lib.paths import project_root, resolve

if TYPE_CHECKING:
    from mscm_lib.config import RunConfig

KEYS = ("backbone", "multi_scale", "metric_loss")
"""The parameters of a run that may name a part of the user's own."""

_BESIDE = re.compile(r"(?!timm:)[A-Za-z_]\w*(\.\w+)*:[A-Za-z_]\w*")


def is_own(value: str) -> bool:
    """Whether ``value`` names a part in a file of the user's: "path/to/file.py:Name"."""
    return ".py:" in value


def beside(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """``values`` with parts of files in ``folder``, "file:Name", under their path from the root.

    Args:
        values: parameters of a run, as a study's file in ``folder`` gives them.
        folder: absolute.
    """
    if folder.is_relative_to(project_root()):
        folder = folder.relative_to(project_root())
    placed = dict(values)
    for key in KEYS:
        value = values.get(key)
        if isinstance(value, str) and _BESIDE.fullmatch(value):
            module, _, name = value.partition(":")
            placed[key] = f"{folder.as_posix()}/{module.replace('.', '/')}.py:{name}"
    return placed


def sources(config: RunConfig) -> tuple[Path, ...]:
    """The files of a run's own parts, absolute and sorted; none where it has no own parts."""
    values = [getattr(config, key) for key in KEYS]
    return tuple(sorted({resolve(v.rpartition(":")[0]) for v in values if is_own(v)}))


def digests(config: RunConfig) -> dict[str, str]:
    """SHA-256 of each file of a run's own parts, by its path from the project's root."""
    values = {
        getattr(config, key).rpartition(":")[0] for key in KEYS if is_own(getattr(config, key))
    }
    return {path: file_digest(resolve(path)) for path in sorted(values)}


@dataclass(frozen=True)
class OwnPart:
    """A part of the user's own, not built yet.

    Attributes:
        key: the parameter that names it, of `KEYS`.
        value: how it names it, "path/to/file.py:Name".
        make: what stands in the file under that name.
    """

    key: str
    value: str
    make: Callable[..., Any]

    def error(self, found: str) -> ConfigError:
        """The error that says what was found wrong with this part, in one line."""
        said = " ".join(found.split())  # PyTorch words some errors in several
        return ConfigError(
            f"{self.key} = {self.value!r}: {said} (mscm_lib/own_parts.py says what is expected)"
        )

    def require(self, holds: bool, found: str) -> None:
        """Raise `error` unless ``holds``."""
        if not holds:
            raise self.error(found)

    @contextmanager
    def running(self, doing: str) -> Iterator[None]:
        """What the user's code raises in this block, as one `ConfigError`; so, too, if it seeds."""
        import torch  # here: parameters are checked without it

        seed = torch.initial_seed()
        try:
            yield
        except StudyError:
            raise
        except (Exception, SystemExit) as error:
            raise self.error(f"{doing} raised {type(error).__name__}: {error}") from error
        self.require(
            torch.initial_seed() == seed,
            f"{doing} seeds PyTorch's generator, so that runs of several seeds begin alike; leave "
            "the seed to the run",
        )


def load(key: str, value: str) -> OwnPart:
    """The part that the parameter ``key`` names by ``value``; the file is read anew.

    Raises:
        ConfigError: there is no such file, it fails, or has nothing of that name to call.
    """
    where, _, name = value.rpartition(":")
    path = resolve(where)
    if not path.is_file():
        raise ConfigError(
            f"{key} = {value!r}: no file at {path}; expected the path of a Python file from the "
            "project's root, and a name in it, as in 'studies/mine/my_parts.py:MyBlock'"
        )
    module = types.ModuleType(f"own_parts.{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where dataclasses, pickle and inspect look for it
    part = OwnPart(key, value, type)
    with part.running(f"{path.name}"):
        exec(compile(path.read_bytes(), path, "exec", dont_inherit=True), module.__dict__)
    found = getattr(module, name, None)
    if not callable(found):
        own = module.__name__
        known = [n for n, v in vars(module).items() if getattr(v, "__module__", "") == own]
        raise part.error(f"{path.name} has no class or function {name!r}; it has {known}")
    return OwnPart(key, value, found)

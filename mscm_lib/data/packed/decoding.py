"""Image files to pixels: what is accepted, how it is shown, how it is brought to size.

A file can ask to be shown otherwise than its pixels are stored: turned, with other colours, with
parts left out. The field's code takes pixels as they are stored, and so do the official datasets
here; the doctor reports what a viewer would show otherwise. Pictures of a reader's own are taken
as they are shown.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from mscm_lib.data.layouts.listing import PERMIT
from mscm_lib.data.layouts.mistaken import file_mistaken_for
from mscm_lib.errors import DataError

Pixels = npt.NDArray[np.uint8]
FORMATS = ("JPEG", "PNG", "BMP", "TIFF")
MODES = ("RGB", "L")
SHOWN_MODES = (*MODES, "1", "P", "LA", "PA", "RGBA")  # that 8-bit RGB can show as they look
SMALLEST, LARGEST = 8, 8192  # pixels along a side that a picture of a person can have
ORIENTATION = 274  # the EXIF tag; 1 is upright
_AGAIN = "copy the file again from the release"
_COLOUR_STEPS = 3  # of 255: a colour profile that changes less is one way of writing sRGB


class ImageFault(DataError):
    """An image file that cannot be used.

    Attributes:
        reason: what is wrong.
        remedy: what to do.
    """

    def __init__(self, path: Path, reason: str, remedy: str) -> None:
        super().__init__(f"{path}: {reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy


def read_image(path: Path, as_shown: bool = False) -> Image.Image:
    """The decoded image of a file, with one or three channels of 8 bits.

    Args:
        path: of the file.
        as_shown: also take what 8-bit RGB can show as it looks (palettes, black and white, alpha
            without transparent pixels), turn it upright and bring its colours to sRGB.

    Raises:
        ImageFault: missing, empty, cut off, no image, of another mode, of an absurd size, or with
            transparent pixels where it is read as shown.
    """
    with _opened(path, as_shown) as image:
        image.load()
        return _shown(path, image) if as_shown else image


def look_into(path: Path, decode: bool = True, as_shown: bool = False) -> tuple[str, list[str]]:
    """The mode of a file's image, and what makes a viewer show it otherwise than it is stored.

    Args:
        path: of the file.
        decode: False looks at the header alone.
        as_shown: as in `read_image`.

    Raises:
        ImageFault: as `read_image` would.
    """
    with _opened(path, as_shown) as image:
        if decode:
            image.load()
        reasons = list(_shown_otherwise(image))
        if decode and as_shown:
            _shown(path, image)
        return image.mode, reasons


@contextmanager
def _opened(path: Path, as_shown: bool) -> Iterator[Image.Image]:
    """A file's image with a checked header; what goes wrong meanwhile is an `ImageFault`."""
    try:
        if path.stat().st_size == 0:
            raise ImageFault(path, "has zero bytes", _AGAIN)
        with Image.open(path, formats=FORMATS) as image:
            _check_header(path, image, SHOWN_MODES if as_shown else MODES)
            yield image
    except (ImageFault, MemoryError):
        raise
    except FileNotFoundError as error:
        raise ImageFault(path, "is missing", _AGAIN) from error
    except PermissionError as error:
        raise ImageFault(path, f"cannot be read ({error.strerror})", PERMIT) from error
    except UnidentifiedImageError as error:
        found = file_mistaken_for(path)
        kind, remedy = (f" but {found.kind}", found.remedy) if found else ("", _AGAIN)
        raise ImageFault(path, f"is no {', '.join(FORMATS)} file{kind}", remedy) from error
    except Image.DecompressionBombError as error:
        raise ImageFault(path, f"has an absurd size ({error})", _AGAIN) from error
    except Exception as error:  # Pillow lets through whatever a damaged file makes it stumble over
        reason = str(error).replace(str(path), "the file").replace(repr(str(path)), "the file")
        raise ImageFault(path, f"cannot be decoded ({reason})", _AGAIN) from error


def _check_header(path: Path, image: Image.Image, modes: tuple[str, ...]) -> None:
    width, height = image.size
    if not all(SMALLEST <= side <= LARGEST for side in (width, height)):
        raise ImageFault(
            path,
            f"has an absurd size of {height} x {width} pixels (height x width); expected "
            f"{SMALLEST} to {LARGEST} each way",
            _AGAIN,
        )
    if image.mode not in modes:
        channels = len(image.getbands())
        raise ImageFault(
            path,
            f"has mode {image.mode} ({channels} channels); expected RGB, or L for gray",
            "convert it to 8-bit RGB, or copy it again from the release",
        )


def _shown_otherwise(image: Image.Image) -> Iterator[str]:
    """What makes a viewer show an image otherwise than its stored pixels are."""
    if (turn := _orientation(image)) != 1:
        yield f"an orientation tag ({turn}), by which a viewer turns or mirrors it"
    if image.has_transparency_data:
        yield "transparency"
    if _to_srgb(image.info.get("icc_profile"), image.mode):
        yield "a colour profile that is not sRGB"
    if (frames := getattr(image, "n_frames", 1)) > 1 and image.format != "MPO":
        yield f"{frames} pictures, of which the first is taken"


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":  # turned by Pillow itself
        return 1
    try:
        turn = image.getexif().get(ORIENTATION, 1)
    except Exception:  # a damaged tag turns nothing, in viewers as here
        return 1
    return turn if turn in range(1, 9) else 1


def _shown(path: Path, image: Image.Image) -> Image.Image:
    """A decoded image as a viewer shows it, mode RGB or L."""
    profile = image.info.get("icc_profile")
    if _orientation(image) != 1:
        image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if np.asarray(image)[..., 3].min() < 255:
            raise ImageFault(
                path,
                "has transparent pixels, and nothing says what is behind them",
                "put it on a background and save it as RGB",
            )
    if image.mode not in MODES:
        image = image.convert("L" if image.mode == "1" else "RGB")
    transform = _to_srgb(profile, image.mode)
    return ImageCms.applyTransform(image, transform) or image if transform else image


@lru_cache(maxsize=64)
def _to_srgb(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """What brings colours of an ICC profile to sRGB; None where nothing changes."""
    if not profile or mode not in MODES:
        return None
    steps = np.arange(0, 256, 51, dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 1, 3)  # (216, 1, 3)
    probe = Image.fromarray(cube if mode == "RGB" else cube[..., 0])
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        transform = ImageCms.buildTransform(source, srgb, mode, "RGB")
        found = np.asarray(ImageCms.applyTransform(probe, transform), dtype=np.int64)
    except (ImageCms.PyCMSError, OSError, ValueError):  # a damaged profile changes nothing
        return None
    change = np.abs(found - np.asarray(probe.convert("RGB"), dtype=np.int64)).max()
    return transform if change > _COLOUR_STEPS else None


def load_pixels(path: Path, height: int, width: int, as_shown: bool = False) -> Pixels:
    """(height, width, 3) RGB pixels of an image file.

    Resizing is Pillow's Lanczos filter, which widens its kernel when it makes an image smaller, as
    the field's public code does it. An image of the right size is not touched; one with a single
    channel gets three equal ones.

    Args:
        path: of the file.
        height, width: pixels wanted.
        as_shown: see `read_image`.

    Raises:
        ImageFault: see `read_image`.
    """
    image = read_image(path, as_shown=as_shown)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)  # (H, W) -> (H, W, 3)
    return pixels

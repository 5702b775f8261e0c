"""Image files to pixels: what is accepted, and how it is brought to size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from mscm_lib.errors import DataError

Pixels = npt.NDArray[np.uint8]
FORMATS = ("JPEG", "PNG", "BMP", "TIFF")
MODES = ("RGB", "L")
SMALLEST, LARGEST = 8, 8192  # pixels along a side that a picture of a person can have
_AGAIN = "copy the file again from the release"


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


def read_image(path: Path, decode: bool = True) -> Image.Image:
    """The image of a file, decoded, with one or three channels of 8 bits.

    Args:
        path: of the file.
        decode: False looks at the header alone, and the image has no pixels.

    Raises:
        ImageFault: missing, empty, cut off, no image, of another mode, or of an absurd size.
    """
    try:
        if path.stat().st_size == 0:
            raise ImageFault(path, "has zero bytes", _AGAIN)
        with Image.open(path, formats=FORMATS) as image:
            _check_header(path, image)
            if decode:
                image.load()
            return image
    except (ImageFault, MemoryError):
        raise
    except FileNotFoundError as error:
        raise ImageFault(path, "is missing", _AGAIN) from error
    except UnidentifiedImageError as error:
        raise ImageFault(path, f"is no {', '.join(FORMATS)} file", _AGAIN) from error
    except Image.DecompressionBombError as error:
        raise ImageFault(path, f"has an absurd size ({error})", _AGAIN) from error
    except Exception as error:  # Pillow lets through whatever a damaged file makes it stumble over
        reason = str(error).replace(str(path), "the file").replace(repr(str(path)), "the file")
        raise ImageFault(path, f"cannot be decoded ({reason})", _AGAIN) from error


def _check_header(path: Path, image: Image.Image) -> None:
    width, height = image.size
    if not all(SMALLEST <= side <= LARGEST for side in (width, height)):
        raise ImageFault(
            path,
            f"has an absurd size of {height} x {width} pixels (height x width); expected "
            f"{SMALLEST} to {LARGEST} each way",
            _AGAIN,
        )
    if image.mode not in MODES:
        channels = len(image.getbands())
        raise ImageFault(
            path,
            f"has mode {image.mode} ({channels} channels); expected RGB, or L for gray",
            "convert it to 8-bit RGB, or copy it again from the release",
        )


def load_pixels(path: Path, height: int, width: int) -> Pixels:
    """(height, width, 3) RGB pixels of an image file.

    Resizing is Pillow's Lanczos filter, which widens its kernel when it makes an image smaller, as
    the field's public code does it. An image of the right size is not touched; one with a single
    channel gets three equal ones.

    Raises:
        ImageFault: see `read_image`.
    """
    image = read_image(path)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)  # (H, W) -> (H, W, 3)
    return pixels

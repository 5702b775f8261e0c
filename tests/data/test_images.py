"""Pictures as people have them: shown as a viewer shows them, or one error that says why not."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from mscm_lib.data import open_dataset, pack_dataset
from mscm_lib.data.doctor import diagnose
from mscm_lib.data.packed.decoding import ImageFault, load_pixels

HEIGHT, WIDTH = 24, 12
PATH = "cam1/0004/0003.jpg"
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# red and green change places: a profile far from sRGB that no viewer refuses
OTHER = SRGB.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


@pytest.fixture
def picture():
    """Three plain areas: nothing of it is lost in a palette, and every turn of it is another."""
    pixels = np.full((HEIGHT, WIDTH, 3), (20, 40, 200), dtype=np.uint8)
    pixels[:8], pixels[8:, :6] = (250, 10, 10), (10, 220, 30)
    return Image.fromarray(pixels)


def write(path, image, kind="PNG", **options):
    image.save(path, kind, **options)
    return path


def orientation(value):
    exif = Image.Exif()
    exif[274] = value
    return exif


def shown(path):
    return load_pixels(path, HEIGHT, WIDTH, as_shown=True)


# what a camera stores with each tag so that a viewer shows it upright
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("tag", STORED)
def test_a_turned_picture_is_shown_upright(tmp_path, picture, tag, kind):
    path = write(tmp_path / "p", picture.transpose(STORED[tag]), kind, exif=orientation(tag))
    np.testing.assert_array_equal(shown(path), np.asarray(picture))


@pytest.mark.parametrize(
    "form",
    [
        lambda image: image.quantize(8),
        lambda image: image.convert("RGBA"),
        lambda image: image.convert("RGBA").quantize(8),
    ],
    ids=["palette", "opaque alpha", "palette with opaque alpha"],
)
def test_what_looks_alike_is_read_alike(tmp_path, picture, form):
    path = write(tmp_path / "p.png", form(picture))
    np.testing.assert_array_equal(shown(path), np.asarray(picture))


@pytest.mark.parametrize("mode", ["1", "LA", "L"])
def test_gray_is_three_equal_channels(tmp_path, picture, mode):
    gray = picture.convert("L").convert(mode)
    expected = np.asarray(gray.convert("RGB"))
    np.testing.assert_array_equal(shown(write(tmp_path / "p.png", gray)), expected)


def see_through(image):
    image.putalpha(Image.fromarray(np.full((HEIGHT, WIDTH), 254, np.uint8)))
    return image


@pytest.mark.parametrize(
    ("form", "options", "message"),
    [
        (see_through, {}, "has transparent pixels"),
        (lambda image: image, {"transparency": (250, 10, 10)}, "has transparent pixels"),
        (lambda image: image.quantize(8), {"transparency": 0}, "has transparent pixels"),
        (lambda image: Image.fromarray(np.zeros((24, 12), np.uint16)), {}, "has mode I;16"),
    ],
    ids=["alpha", "one colour", "palette entry", "sixteen bits"],
)
def test_what_cannot_be_shown_is_one_error(tmp_path, picture, form, options, message):
    path = write(tmp_path / "p.png", form(picture), **options)
    with pytest.raises(ImageFault, match=message):
        shown(path)


def test_printing_inks_are_refused(tmp_path, picture):
    with pytest.raises(ImageFault, match="has mode CMYK"):
        shown(write(tmp_path / "p.jpg", picture.convert("CMYK"), "JPEG"))


def test_a_colour_profile_is_followed(tmp_path, picture):
    plain = shown(write(tmp_path / "s.png", picture, icc_profile=SRGB))
    np.testing.assert_array_equal(plain, np.asarray(picture))
    other = shown(write(tmp_path / "o.png", picture, icc_profile=OTHER)).astype(int)
    assert other[0, 0, 1] > 150 > other[0, 0, 0]  # stored red, shown green
    broken = shown(write(tmp_path / "b.png", picture, icc_profile=OTHER[:200]))
    np.testing.assert_array_equal(broken, np.asarray(picture))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_damaged_tag_turns_nothing(tmp_path, picture):
    path = write(tmp_path / "p.jpg", picture, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert shown(path)[0, 0, 0] > 200


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer"),
        (b"\xef\xbb\xbf\n<!DOCTYPE HTML><title>404</title>", "a web page"),
        (b"PK\x03\x04 and so on", "a zip archive"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "a WebP picture"),
        (b"\0\0\0\x18ftypheic", "a HEIC or AVIF picture"),
    ],
)
def test_another_kind_of_file_is_called_by_its_name(tmp_path, content, kind):
    (tmp_path / "p.jpg").write_bytes(content)
    with pytest.raises(ImageFault, match=f"is no JPEG, PNG, BMP, TIFF file but {kind}; "):
        shown(tmp_path / "p.jpg")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exif": orientation(6)}, "has an orientation tag (6), by which a viewer turns"),
        ({"icc_profile": OTHER}, "has a colour profile that is not sRGB"),
        ({"transparency": (250, 10, 10)}, "has transparency"),
        ({"save_all": True, "append_images": [Image.new("RGB", (WIDTH, HEIGHT))]}, "2 pictures"),
    ],
    ids=["orientation", "profile", "transparency", "animation"],
)
@pytest.mark.parametrize("decode", [True, False])
def test_the_doctor_reports_what_a_viewer_shows_otherwise(
    tree, forms, picture, options, message, decode
):
    root = tree("sysu")
    stream = io.BytesIO()
    picture.save(stream, "PNG", **options)
    forms.put(root, PATH, stream.getvalue())
    diagnosis = diagnose("sysu", root, decode=decode, progress=False)
    (found,) = [f for f in diagnosis.findings if f.path == PATH]
    assert found.severity == "warning" and message in found.message
    assert "packed as it is stored" in found.message


def test_packed_pixels_of_an_official_dataset_stay_as_stored(tree, forms, picture, tmp_path):
    root = tree("sysu")
    write(root / PATH, picture, exif=orientation(3))
    data = open_dataset("sysu", root)
    packed = pack_dataset(data, tmp_path / "packed", HEIGHT, WIDTH, progress=False)
    np.testing.assert_array_equal(packed.read(packed.rows([PATH]))[0], np.asarray(picture))

import random

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from torch._subclasses.fake_tensor import FakeTensorMode
from torchvision.transforms import functional as F

from mscm_lib.config import RunConfig
from mscm_lib.data.batches import pixels
from mscm_lib.data.batches.view_draws import KEEP, LUMA, SECOND_CHANNEL, draw_views
from mscm_lib.data.batches.views import FourViews, padding_for
from mscm_lib.data.batches.views import test_transform as transform_for_test
from mscm_lib.errors import DataError
from tests.data import reference_views as reference

STREAMS = reference.STREAMS
SWITCHES = {
    "random_crop": STREAMS, "random_flip": STREAMS, "random_erasing": STREAMS,
    "random_grayscale": ["v_g"], "channel_exchange": ["v_c"], "infrared_mix": ["i_g"],
    "infrared_scaling": ["i_c"],
}  # fmt: skip


def photographs(count, height, width, seed=0):
    """Two blocks of random bytes, (count, H, W, 3) uint8 each; infrared channels differ too."""
    generator = torch.Generator().manual_seed(seed)
    shape = (2, count, height, width, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator).unbind(0)


def choices(draws, stream, i):
    """The reference's words for what ``draws`` says of one sample."""
    place = [int(field[i]) for field in draws.geometry(stream)]
    top, left, flip, *box = place
    made = reference.Choice(top, left, bool(flip), tuple(box) if box[2] else None)
    colour = draws.colour
    if stream == "v_g":
        made.gray = bool(colour.gray[i])
    elif stream == "v_c":
        made.channel = int(colour.channel[i])
    elif stream == "i_g":
        names = {KEEP: "keep", SECOND_CHANNEL: "second", LUMA: "luma"}
        made.mix = names[int(colour.mix[i])]
    else:
        made.brightness = float(colour.brightness[i])
        made.scale = tuple(colour.scale[:, i].tolist())
    return made


def switched_off(choice, switch, padding):
    if switch == "random_crop":
        choice.top = choice.left = padding
    elif switch == "random_flip":
        choice.flip = False
    elif switch == "random_erasing":
        choice.erase = None
    elif switch == "random_grayscale":
        choice.gray = False
    elif switch == "channel_exchange":
        choice.channel = None
    elif switch == "infrared_mix":
        choice.mix = "keep"
    else:
        choice.brightness, choice.scale = 1.0, (1.0, 1.0, 1.0)
    return choice


def expected(visible, infrared, draws, padding, off=()):
    views = []
    for stream in STREAMS:
        images = visible if stream.startswith("v") else infrared
        rows = []
        for i, image in enumerate(images.numpy()):
            choice = choices(draws, stream, i)
            for switch in off:
                choice = switched_off(choice, switch, padding)
            rows.append(reference.make(image, stream, choice, padding))
        views.append(torch.stack(rows))
    return views


@pytest.mark.parametrize(("height", "width", "count"), [(96, 48, 40), (384, 192, 6)])
def test_pixels_are_those_of_the_per_sample_pipeline(height, width, count):
    visible, infrared = photographs(count, height, width)
    views = FourViews(height, width, seed=3)
    draws = views.draw(epoch=1, step=2, count=count)
    made = views.apply(visible, infrared, draws)
    for name, view, wanted in zip(
        STREAMS, made, expected(visible, infrared, draws, views.padding), strict=True
    ):
        assert view.dtype == torch.float32
        torch.testing.assert_close(
            view, wanted, atol=2e-6, rtol=0, msg=lambda m, n=name: f"{n} {m}"
        )


@pytest.mark.parametrize("switch", SWITCHES)
def test_each_operation_can_be_switched_off_alone(switch):
    visible, infrared = photographs(12, 48, 32)
    views, without = FourViews(48, 32), FourViews(48, 32, **{switch: False})
    draws = views.draw(0, 0, 12)
    made, fewer = views.apply(visible, infrared, draws), without.apply(visible, infrared, draws)
    wanted = expected(visible, infrared, draws, views.padding, [switch])
    for name, whole, view, plain in zip(STREAMS, made, fewer, wanted, strict=True):
        torch.testing.assert_close(view, plain, atol=2e-6, rtol=0)
        assert torch.equal(whole, view) == (name not in SWITCHES[switch])


def test_with_everything_off_a_view_is_the_test_transform():
    visible, infrared = photographs(3, 32, 16)
    still = FourViews(32, 16, **dict.fromkeys(SWITCHES, False))
    plain = transform_for_test(visible), transform_for_test(infrared)
    made = still.apply(visible, infrared, still.draw(0, 0, 3))
    for view, wanted in zip(made, (plain[0], plain[0], plain[1], plain[1]), strict=True):
        torch.testing.assert_close(view, wanted)
    images = [Image.fromarray(image) for image in visible.numpy()]
    stack = torch.stack([F.to_tensor(image) for image in images])
    wanted = F.normalize(stack, reference.MEAN, reference.STD)
    torch.testing.assert_close(plain[0], wanted, atol=2e-6, rtol=0)


def test_every_byte_turns_gray_and_bright_as_pillow_does():
    levels = torch.arange(256, dtype=torch.uint8)
    generator = torch.Generator().manual_seed(0)
    shuffled = [levels[torch.randperm(256, generator=generator)] for _ in range(3 * 64)]
    images = torch.stack(shuffled).view(64, 3, 16, 16).permute(0, 2, 3, 1).contiguous()
    off = ["random_crop", "random_flip", "random_erasing"]
    views = FourViews(16, 16, **dict.fromkeys(off, False))
    draws = views.draw(0, 0, 64)
    made = views.apply(images, images, draws)
    assert {0.0, 1.0} == set(draws.colour.gray.tolist())
    wanted = expected(images, images, draws, views.padding, off)
    for place in (0, 3):  # far less than a level of 255 anywhere: every byte is Pillow's
        assert (made[place] - wanted[place]).abs().max() < 1e-5


@pytest.fixture(scope="module")
def many():
    """Draws for 4000 pairs, and the reference's own, as named columns."""
    height, width, padding, count = 96, 48, 2, 4000
    draws = draw_views(7, 0, 0, count, 0, height, width, padding)
    rng = random.Random(1)
    ours, theirs = {}, {}
    for stream in STREAMS:
        ours[stream] = [choices(draws, stream, i) for i in range(count)]
        theirs[stream] = [reference.draw(stream, height, width, padding, rng) for _ in range(count)]
    return ours, theirs, (height, width)


def columns(made, stream, size):
    erased = [c.erase for c in made if c.erase is not None]
    heights, widths = np.array([b[2] for b in erased]), np.array([b[3] for b in erased])
    found = {
        "top": [c.top for c in made],
        "left": [c.left for c in made],
        "flip": [c.flip for c in made],
        "erased": [c.erase is not None for c in made],
        "area": heights * widths,
        "aspect": heights / widths,
        "from top": np.array([b[0] for b in erased]) / (size[0] - heights),
        "from left": np.array([b[1] for b in erased]) / (size[1] - widths),
    }
    if stream == "v_g":
        found["gray"] = [c.gray for c in made]
    elif stream == "v_c":
        found["channel"] = [c.channel for c in made]
    elif stream == "i_g":
        found["mix"] = [["keep", "second", "luma"].index(c.mix) for c in made]
    else:
        found["brightness"] = [c.brightness for c in made]
        found["scaled"] = [c.scale != (1.0, 1.0, 1.0) for c in made]
        for channel in range(3):
            found[f"scale {channel}"] = [c.scale[channel] for c in made]
    return {name: np.asarray(values, dtype=float) for name, values in found.items()}


@pytest.mark.parametrize("stream", STREAMS)
def test_choices_are_distributed_as_the_per_sample_pipeline_draws_them(many, stream):
    ours, theirs, size = many
    mine, plain = columns(ours[stream], stream, size), columns(theirs[stream], stream, size)
    assert mine.keys() == plain.keys()
    for name in mine:
        p = stats.ks_2samp(mine[name], plain[name], method="asymp").pvalue
        assert p > 1e-4, f"{stream} {name}: p = {p}"


def test_choices_of_streams_pairs_and_steps_are_independent():
    count = 3000
    first, second = (draw_views(7, 0, step, count, 0, 96, 48, 2) for step in (0, 1))
    names = [f"{s} {f}" for s in STREAMS for f in ("top", "left", "flip", "erased")]

    def table(draws):
        fields = []
        for stream in STREAMS:
            place = draws.geometry(stream)
            fields += [place.top, place.left, place.flip, (place.erase_height > 0).float()]
        return torch.stack(fields).numpy()

    here, there = table(first), table(second)
    shifted = np.roll(here, 1, axis=1)
    both = np.corrcoef(np.concatenate([here, there, shifted]))
    off = np.abs(both - np.eye(len(both)))
    assert off.max() < 5 / count**0.5, f"{names}: {off.max()}"


def test_pixels_are_distributed_as_the_per_sample_pipeline_makes_them():
    count, (height, width) = 700, (32, 16)
    visible, infrared = photographs(1, height, width)
    views = FourViews(height, width, seed=1)
    many = [image.expand(count, -1, -1, -1) for image in (visible, infrared)]
    made = views.apply(*many, views.draw(0, 0, count))
    for stream, view in zip(STREAMS, made, strict=True):
        image = (visible if stream.startswith("v") else infrared)[0].numpy()
        plain = reference.sample(image, stream, views.padding, seed=2, count=count)
        # A view's mean, spread, left-right and channel contrast: what each operation moves.
        for measure in (
            lambda x: x.mean((1, 2, 3)), lambda x: x.std((1, 2, 3)),
            lambda x: (x - x.flip(3)).abs().mean((1, 2, 3)), lambda x: x.std(1).mean((1, 2)),
        ):  # fmt: skip
            p = stats.ks_2samp(measure(view), measure(plain)).pvalue
            assert p > 1e-4, f"{stream}: p = {p}"


def test_a_pair_gets_the_same_choices_wherever_it_is_dealt():
    whole = draw_views(1, 2, 3, 24, 0, 96, 48, 2).numbers
    for first, count in ((0, 12), (12, 12), (7, 1)):
        part = draw_views(1, 2, 3, count, first, 96, 48, 2).numbers
        assert torch.equal(part, whole[:, first : first + count])


def test_choices_depend_on_seed_epoch_and_step_alone():
    base = draw_views(1, 2, 3, 8, 0, 96, 48, 2).numbers
    assert torch.equal(base, draw_views(1, 2, 3, 8, 0, 96, 48, 2).numbers)
    for other in ((0, 2, 3), (1, 3, 2), (1, 2, 4), (1, 1, 3)):
        assert not torch.equal(base, draw_views(*other, 8, 0, 96, 48, 2).numbers)


def test_two_views_are_the_global_ones_of_the_four():
    visible, infrared = photographs(4, 32, 16)
    four, two = FourViews(32, 16), FourViews(32, 16, views=2)
    draws = four.draw(0, 0, 4)
    v_g, _, i_g, _ = four.apply(visible, infrared, draws)
    made = two.apply(visible, infrared, draws)
    assert len(made) == 2
    assert torch.equal(made[0], v_g)
    assert torch.equal(made[1], i_g)


def test_three_views_are_all_of_the_four_but_the_last():
    visible, infrared = photographs(4, 32, 16)
    four, three = FourViews(32, 16), FourViews(32, 16, views=3)
    draws = four.draw(0, 0, 4)
    made = three.apply(visible, infrared, draws)
    assert len(made) == 3
    for view, wanted in zip(made, four.apply(visible, infrared, draws), strict=False):
        assert torch.equal(view, wanted)


def test_the_gray_bridge_is_the_global_view_in_gray_pixel_by_pixel():
    visible, infrared = photographs(12, 48, 32)
    views = FourViews(48, 32, views=3, gray_bridge=True, random_grayscale=False)
    draws = views.draw(0, 0, 12)
    v_g, bridge, i_g = views.apply(visible, infrared, draws)
    rows = []
    for i, image in enumerate(visible.numpy()):
        choice = switched_off(choices(draws, "v_g", i), "random_grayscale", views.padding)
        choice.gray = True
        rows.append(reference.make(image, "v_g", choice, views.padding))
    torch.testing.assert_close(bridge, torch.stack(rows), atol=2e-6, rtol=0)
    plain = FourViews(48, 32, views=3, random_grayscale=False).apply(visible, infrared, draws)
    assert torch.equal(v_g, plain[0]) and torch.equal(i_g, plain[2])
    assert not torch.equal(bridge, plain[1])


def test_images_are_left_as_they_were_and_so_are_global_generators():
    visible, infrared = photographs(4, 32, 16)
    copies = visible.clone(), infrared.clone()
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    views = FourViews(32, 16)
    views.apply(visible, infrared, views.draw(0, 0, 4))
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    assert before[:2] == after[:2]
    assert torch.equal(before[2], after[2])
    assert torch.equal(visible, copies[0])
    assert torch.equal(infrared, copies[1])


@pytest.mark.parametrize("last", [True, False])
def test_memory_layout_is_the_one_asked_for(last):
    images = photographs(2, 32, 16)[0]
    views = FourViews(32, 16, channels_last=last)
    layout = torch.channels_last if last else torch.contiguous_format
    for view in views.apply(images, images, views.draw(0, 0, 2)):
        assert view.is_contiguous(memory_format=layout)


@pytest.mark.parametrize(("height", "padding"), [(384, 10), (288, 8), (192, 5), (96, 2), (16, 1)])
def test_padding_keeps_its_share_of_the_height(height, padding):
    assert padding_for(height) == padding
    assert FourViews(height, height // 2).padding == padding
    assert FourViews(height, height // 2, padding=7).padding == 7


def test_configuration_reaches_every_switch():
    off = dict.fromkeys(SWITCHES, False)
    config = RunConfig(height=96, width=48, seed=5, channels_last=False, **off)
    views = FourViews.from_config(config)
    assert (views.height, views.width, views.seed, views.views) == (96, 48, 5, 4)
    assert not views.channels_last
    assert not any(getattr(views, switch) for switch in SWITCHES)
    assert all(getattr(FourViews.from_config(RunConfig()), switch) for switch in SWITCHES)


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(2, 32, 16, 3),
        torch.zeros(2, 3, 32, 16, dtype=torch.uint8),
        torch.zeros(2, 16, 32, 3, dtype=torch.uint8),
    ],
)
def test_images_that_are_not_as_packed_are_refused(images):
    views = FourViews(32, 16)
    with pytest.raises(DataError, match="expected"):
        views.apply(images, images, views.draw(0, 0, 2))
    if images.shape[-1] != 3 or images.dtype != torch.uint8:
        with pytest.raises(DataError, match="uint8"):
            transform_for_test(images)


@pytest.mark.filterwarnings("ignore:User provided device_type of 'cuda'")
def test_nothing_waits_for_a_gpu():
    """A GPU without values: reading one back to the host would raise."""
    views = FourViews(32, 16, channels_last=True)
    draws = views.draw(0, 0, 4)
    pixels._constants.cache_clear()  # what is made here has no values
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            images = torch.empty(4, 32, 16, 3, dtype=torch.uint8, device="cuda")
            made = views.apply(images, images, draws.to("cuda"))
            assert {view.device.type for view in made} == {"cuda"}
    finally:
        pixels._constants.cache_clear()

"""The four views as a plain per-sample pipeline: Pillow images, torchvision's functions, loops."""

import random
from dataclasses import dataclass

import torch
from PIL import Image
from torchvision.transforms import functional as F

STREAMS = ("v_g", "v_c", "i_g", "i_c")
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
FILL = torch.tensor([0.4914, 0.4822, 0.4465])[:, None, None]


@dataclass
class Choice:
    """Of one view of one image; what a stream does not do is left alone."""

    top: int
    left: int
    flip: bool
    erase: tuple[int, int, int, int] | None  # top, left, height, width
    gray: bool = False
    channel: int | None = None
    mix: str = "keep"
    brightness: float = 1.0
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)


def draw(stream, height, width, padding, rng):
    """Choices with the method's probabilities, one at a time."""
    choice = Choice(
        rng.randint(0, 2 * padding), rng.randint(0, 2 * padding), rng.random() < 0.5,
        draw_erasing(height, width, rng) if rng.random() < 0.5 else None,
    )  # fmt: skip
    if stream == "v_g":
        choice.gray = rng.random() < 0.5
    elif stream == "v_c":
        choice.channel = rng.choice([0, 1, 2])
    elif stream == "i_g":
        if rng.random() < 0.5:
            choice.mix = "second"
        elif rng.random() < 0.5:
            choice.mix = "luma"
    else:
        choice.brightness = rng.uniform(0.5, 1.5)
        if rng.random() < 0.5:
            choice.scale = tuple(2 * rng.uniform(0.01, 0.5) for _ in range(3))
    return choice


def draw_erasing(height, width, rng):
    for _ in range(100):
        area = rng.uniform(0.02, 0.4) * height * width
        aspect = rng.uniform(0.3, 1 / 0.3)
        h, w = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if h < height and w < width:
            return rng.randint(0, height - h), rng.randint(0, width - w), h, w
    return None


def make(pixels, stream, choice, padding):
    """(H, W, 3) uint8 → (3, H, W) float32."""
    image = Image.fromarray(pixels)
    if choice.gray:
        image = F.rgb_to_grayscale(image, num_output_channels=3)
    if stream == "i_c":
        image = F.adjust_brightness(image, choice.brightness)
    width, height = image.size
    image = F.crop(F.pad(image, padding), choice.top, choice.left, height, width)
    if choice.flip:
        image = F.hflip(image)
    x = F.normalize(F.to_tensor(image), MEAN, STD)
    if choice.erase is not None:
        x = F.erase(x, *choice.erase, v=FILL)
    if choice.channel is not None:
        x = torch.stack([x[choice.channel]] * 3)
    if choice.mix == "second":
        x = torch.stack([x[1]] * 3)
    elif choice.mix == "luma":
        x = torch.stack([0.2989 * x[0] + 0.5870 * x[1] + 0.1140 * x[2]] * 3)
    return x * torch.tensor(choice.scale)[:, None, None]


def sample(pixels, stream, padding, seed, count):
    """``count`` views of one image with this pipeline's own choices, (count, 3, H, W)."""
    rng = random.Random(seed)
    height, width = pixels.shape[:2]
    choices = [draw(stream, height, width, padding, rng) for _ in range(count)]
    return torch.stack([make(pixels, stream, choice, padding) for choice in choices])

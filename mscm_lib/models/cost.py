"""What a network costs: parameters, operations, activation memory, latency."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mscm_lib.models.network import MSCMNet
from mscm_lib.models.streams import VIEWS


@dataclass(frozen=True)
class Cost:
    """Costs of one network at its own image size.

    Attributes:
        parameters: trained numbers, all of them.
        parameters_without_classifier: the same without the classifier, which grows with the
            identities and is not needed for retrieval.
        embed_flops: floating-point operations to embed one image (a multiply-add counts as two).
        train_flops: operations of one training sample, all of its views, forward and backward.
        activation_bytes: what one training sample keeps for the backward pass, weights not counted.
    """

    parameters: int
    parameters_without_classifier: int
    embed_flops: int
    train_flops: int
    activation_bytes: int


def cost(net: MSCMNet, views: int = 4) -> Cost:
    """Count a network's costs, on the device and in the number format that it is in.

    Nothing is timed and every count is exact, for training samples of 2 to 4 ``views``. Attention is
    counted as its two matrix products. The network itself is left as it was.
    """
    net, samples = copy.deepcopy(net), _samples(net, views)
    parameters = sum(p.numel() for p in net.parameters() if p.requires_grad)
    with sdpa_kernel(SDPBackend.MATH):  # the fused kernels hide their products from the counter
        with FlopCounterMode(display=False) as embedding, torch.no_grad():
            net.eval().embed(samples["v_g"], "visible")
        with FlopCounterMode(display=False) as training:
            output = net.train()(**samples)
            trained = [p for p in net.parameters() if p.requires_grad]
            torch.autograd.grad(output.pooled.sum() + output.logits.sum(), trained)
    return Cost(
        parameters,
        parameters - net.head.classifier.weight.numel(),
        embedding.get_total_flops(),
        training.get_total_flops(),
        saved_bytes(net, samples),
    )


def saved_bytes(net: nn.Module, samples: dict[str, Tensor]) -> int:
    """Bytes of the distinct storages that a training pass keeps for the backward pass.

    Parameters and inputs are not counted; a storage that several operations keep counts once.
    """
    held: dict[int, Tensor] = {}
    own = {t.untyped_storage().data_ptr() for t in [*net.parameters(), *samples.values()]}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            held[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = net(**samples)  # alive until counted, so that no address is used twice
    total = sum(tensor.untyped_storage().nbytes() for tensor in held.values())
    del output
    return total


def latency(net: MSCMNet, batch: int, repeats: int = 5) -> float:
    """Seconds to embed ``batch`` images that lie on the device: the fastest of some passes.

    One pass before the ``repeats`` timed ones warms up. The fastest is what the network needs; what
    it takes longer now and then is other work on the machine. `torch.autocast` is the caller's.
    """
    images = _samples(net, 2, batch)["v_g"]
    training = net.training
    net.eval()
    times = []
    with torch.inference_mode():
        for _ in range(repeats + 1):
            start = time.perf_counter()
            net.embed(images, "visible")
            if images.is_cuda:
                torch.cuda.synchronize(images.device)
            times.append(time.perf_counter() - start)
    net.train(training)
    return min(times[1:])


def _samples(net: MSCMNet, views: int, batch: int = 1) -> dict[str, Tensor]:
    """Noise for each view by argument name, as the network's weights lie: device, type, format."""
    weight = next(net.streams.parameters())
    channels_last = weight.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    generator = torch.Generator(weight.device).manual_seed(0)
    shape = (batch, 3, net.config.height, net.config.width)
    return {
        name: torch.randn(shape, generator=generator, device=weight.device)
        .to(weight.dtype)
        .contiguous(memory_format=layout)
        for name in VIEWS[views]
    }

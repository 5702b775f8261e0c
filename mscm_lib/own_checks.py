"""What `mscm_lib.own_parts` asks of a part of the user's own, tried on noise."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.func import functional_call

from mscm_lib.own_parts import OwnPart


def build(part: OwnPart, **arguments: Any) -> nn.Module:
    """The part, built from ``arguments``, which are given by position.

    Raises:
        ConfigError: its signature does not take them, it fails, or gives no `nn.Module`.
    """
    name, given = part.value.rpartition(":")[2], ", ".join(arguments)
    try:
        inspect.signature(part.make).bind(*arguments.values())
    except TypeError as error:
        wanted = f"{name}{inspect.signature(part.make)}"
        raise part.error(f"is called as {name}({given}), and takes {wanted}") from error
    with part.running(f"{name}({given})"):
        module = part.make(*arguments.values())
    part.require(
        isinstance(module, nn.Module),
        f"{name}({given}) gave {type(module).__name__}; expected an nn.Module",
    )
    made: nn.Module = module
    return made


def check_untouched(part: OwnPart, *given: Tensor) -> None:
    """Fresh tensors, handed to ``part`` since, were not changed in place."""
    part.require(
        all(tensor._version == 0 for tensor in given),
        "forward changes its inputs in place; leave them as they are",
    )


def check_gradients(
    part: OwnPart, module: nn.Module, result: Tensor, of: Tensor, what: str
) -> None:
    """``result`` has a finite gradient by ``of``, its input, and by each trained parameter."""
    part.require(
        result.requires_grad,
        f"what it returns for {what} has no gradient; leave out detach(), item() and no_grad()",
    )
    named = {"its input": of, **dict(module.named_parameters())}
    named = {name: tensor for name, tensor in named.items() if tensor.requires_grad}
    with part.running(f"the backward pass of {what}"):
        found = torch.autograd.grad(result.sum(), list(named.values()), allow_unused=True)
    for name, gradient in zip(named, found, strict=True):
        part.require(
            gradient is not None,
            f"{name} got no gradient for {what}; it must take part in what is returned",
        )
        part.require(
            bool(gradient.isfinite().all()),
            f"the gradient by {name} is not finite for {what}; is there a square root, a logarithm "
            "or a division at zero?",
        )


def check_state(
    part: OwnPart, module: nn.Module, again: nn.Module, run: Callable[[nn.Module], Tensor]
) -> None:
    """``again``, built anew, computes what ``module`` does once it has its state dict."""
    with part.running("load_state_dict of an object built anew"):
        again.load_state_dict(module.state_dict())
    with torch.no_grad(), part.running("a second object"):
        expected, found = run(module), run(again)
    part.require(
        torch.allclose(found, expected, rtol=1e-3, atol=1e-5, equal_nan=True),
        "an object built anew with the state dict of another computes something else: keep what it "
        "learns or draws in parameters and buffers (register_buffer), and draw nothing at test",
    )


def check_device(part: OwnPart, module: nn.Module, *given: Tensor | Mapping[str, Tensor]) -> None:
    """``module`` runs on a GPU too: on one without values, which no machine has to have."""
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        state = [*module.named_parameters(), *module.named_buffers()]
        there = {name: torch.empty_like(tensor, device="cuda") for name, tensor in state}
        inputs = [
            {name: torch.empty_like(t, device="cuda") for name, t in x.items()}
            if isinstance(x, Mapping)
            else torch.empty_like(x, device="cuda")
            for x in given
        ]
        try:
            result = functional_call(module, there, tuple(inputs))
        except (DataDependentOutputException, DynamicOutputShapeException):
            return  # it looks at values, as it may: nothing can be said without them
        except Exception as error:
            raise part.error(
                f"on a GPU it would fail: {error} Make new tensors on the device of the inputs, and "
                "register those that it keeps as buffers (register_buffer)"
            ) from error
    part.require(
        result.device.type == "cuda",
        "on a GPU what it returns would still lie on the CPU; make it on the device of the inputs",
    )


def described(value: object) -> str:
    """What was returned, for a message: type and shape of a tensor, type of anything else."""
    if isinstance(value, Tensor):
        return f"{value.dtype} of shape {tuple(value.shape)}"
    return type(value).__name__

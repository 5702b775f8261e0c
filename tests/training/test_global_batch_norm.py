"""The synchronised batch norm of two ranks, each a thread, against one process on all rows."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mscm_lib.training import distributed
from mscm_lib.training.distributed import synchronise_batch_norm

RANKS = 2


@pytest.fixture
def ranks(monkeypatch):
    """``ranks(work)`` runs ``work(rank)`` in a thread a rank, with collectives between them."""
    box, barrier, here = [None] * RANKS, threading.Barrier(RANKS, timeout=60), threading.local()

    def exchanged(values):
        box[here.rank] = values.clone()
        barrier.wait()
        everything = list(box)
        barrier.wait()
        return everything

    def all_gather(parts, values):
        for part, found in zip(parts, exchanged(values), strict=True):
            part.copy_(found)

    def all_reduce(values):
        values.copy_(torch.stack(exchanged(values)).sum(0))

    monkeypatch.setattr(distributed.dist, "get_world_size", lambda: RANKS)
    monkeypatch.setattr(distributed.dist, "all_gather", all_gather)
    monkeypatch.setattr(distributed.dist, "all_reduce", all_reduce)

    def run(work):
        def on_rank(rank):
            here.rank = rank
            return work(rank)

        with ThreadPoolExecutor(RANKS) as pool:
            return list(pool.map(on_rank, range(RANKS)))

    return run


def _network(dimensions, dtype):
    norm = (nn.BatchNorm1d if dimensions == 2 else nn.BatchNorm2d)(5, momentum=0.3).to(dtype)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(5, generator=generator))
        norm.bias.copy_(torch.randn(5, generator=generator))
    return nn.Sequential(norm)


def _rows(dimensions, dtype, seed, mean=10):
    shape = (12, 5) if dimensions == 2 else (12, 5, 4, 3)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x = (3 * x + mean).to(dtype)
    return x if dimensions == 2 else x.to(memory_format=torch.channels_last)


def _trained(network, x, by_out):
    x = x.detach().requires_grad_()
    out = network(x)
    out.backward(by_out)
    return out.detach(), x.grad


@pytest.mark.parametrize("dimensions", [2, 4])
@pytest.mark.parametrize(
    ("rows", "weights", "off"),
    [
        (torch.float64, torch.float64, 1e-12),
        (torch.float32, torch.float32, 1e-5),
        (torch.bfloat16, torch.float32, 2e-2),  # as under autocast
    ],
)
def test_two_ranks_compute_what_one_process_does(ranks, dimensions, rows, weights, off):
    x, by_out = _rows(dimensions, rows, seed=2), _rows(dimensions, rows, seed=3, mean=0)
    alone = _network(dimensions, weights)
    expected = _trained(alone, x, by_out)
    networks = [_network(dimensions, weights) for _ in range(RANKS)]
    for network in networks:
        synchronise_batch_norm(network)
    parts = list(zip(x.chunk(RANKS), by_out.chunk(RANKS), strict=True))
    found = ranks(lambda rank: _trained(networks[rank], *parts[rank]))
    for whole, pieces in zip(expected, zip(*found, strict=True), strict=True):
        assert all(piece.dtype == rows for piece in pieces)
        torch.testing.assert_close(torch.cat(pieces), whole, rtol=off, atol=off)
    for name, parameter in alone.named_parameters():
        own = [dict(network.named_parameters())[name].grad for network in networks]
        torch.testing.assert_close(sum(own), parameter.grad, rtol=off, atol=10 * off)
    for network in networks:
        for name, statistic in alone.named_buffers():
            torch.testing.assert_close(network.get_buffer(name), statistic, rtol=off, atol=off)
    x, before = x[:3], networks[0].get_buffer("0.running_mean").clone()
    torch.testing.assert_close(networks[0].eval()(x), alone.eval()(x), rtol=off, atol=off)
    assert torch.equal(networks[0].get_buffer("0.running_mean"), before)


class _Seen(TorchDispatchMode):
    """Notes what operators are called and whether any takes or makes booleans."""

    def __init__(self):
        super().__init__()
        self.names, self.booleans = set(), False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.names.add(func.name())
        leaves = [leaf for leaf in tree_leaves((args, out)) if isinstance(leaf, torch.Tensor)]
        self.booleans |= any(leaf.dtype is torch.bool for leaf in leaves)
        return out


def test_no_mask_is_made_and_no_value_is_read(ranks):
    x = _rows(4, torch.float32, seed=2)
    networks = [_network(4, torch.float32) for _ in range(RANKS)]

    def work(rank):
        synchronise_batch_norm(networks[rank])
        with _Seen() as seen:
            _trained(networks[rank], x, x)
        return seen

    for seen in ranks(work):
        assert "aten::batch_norm_update_stats" in seen.names
        assert not seen.booleans
        assert not seen.names & {"aten::_local_scalar_dense", "aten::nonzero", "aten::index.Tensor"}

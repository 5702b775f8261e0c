"""The two halves of a transformer block that MIMB and its alternatives share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mscm_lib.models.precision import without_autocast


class Attention(nn.Module):
    """Multi-head attention over tokens, through ``scaled_dot_product_attention``.

    Parameters are laid out, named and initialised as `torch.nn.MultiheadAttention` has them:
    query, key and value projections stacked in ``in_proj_weight`` (3D, D).

    Args:
        dim: D, the numbers in a token.
        heads: attention heads; must divide ``dim``.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.head_dim = dim // heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def self_attention(self, x: Tensor) -> Tensor:
        """Attention of ``x`` (B, T, D) to itself."""
        query, key, value = self._project(x, 0, 3)
        return self._attend(query, key, value)

    def guided_attention(self, guide: Tensor, x: Tensor) -> Tensor:
        """Query and key from ``guide``, value from ``x``, both (B, T, D)."""
        query, key = self._project(guide, 0, 2)
        (value,) = self._project(x, 2, 1)
        return self._attend(query, key, value)

    def cross_attention(self, x: Tensor, context: Tensor) -> Tensor:
        """Query from ``x`` (B, T, D), key and value from ``context`` (B, S, D)."""
        (query,) = self._project(x, 0, 1)
        key, value = self._project(context, 1, 2)
        return self._attend(query, key, value)

    def weights(self, query: Tensor, key: Tensor) -> Tensor:
        """The attention map itself, (B, heads, T, S), for looking inside; rows sum to 1."""
        (projected_query,) = self._project(query, 0, 1)
        (projected_key,) = self._project(key, 1, 1)
        return (projected_query @ projected_key.mT * self.head_dim**-0.5).softmax(dim=-1)

    def _project(self, x: Tensor, first: int, count: int) -> tuple[Tensor, ...]:
        """``count`` of (query, key, value) from the ``first`` on, each (B, heads, T, head_dim).

        Heads are filled with zeros up to a multiple of 8, which changes no score and no output:
        fast attention kernels take no other size, and MIMB's heads of 9 would fall back to a slow
        one that keeps the whole map.
        """
        dim = x.shape[-1]
        rows = slice(first * dim, (first + count) * dim)
        stacked = functional.linear(x, self.in_proj_weight[rows], self.in_proj_bias[rows])
        parts = stacked.unflatten(-1, (count, self.heads, -1))  # (B, T, count, heads, D/heads)
        parts = functional.pad(parts, (0, -self.head_dim % 8))
        return parts.permute(2, 0, 3, 1, 4).unbind(0)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Per-head queries, keys and values → (B, T, D)."""
        scale = self.head_dim**-0.5
        if query.is_cpu and query.dtype.itemsize < 4:
            # The CPU's kernel takes half as long in float32 as in bfloat16.
            query, key, value = query.float(), key.float(), value.float()
            with without_autocast(query.device.type):
                attended = functional.scaled_dot_product_attention(query, key, value, scale=scale)
        else:
            attended = functional.scaled_dot_product_attention(query, key, value, scale=scale)
        joined = attended[..., : self.head_dim].transpose(1, 2).flatten(2)  # (B, T, D)
        return self.out_proj(joined.to(self.out_proj.weight.dtype))


QUICK = 1.702
"""The factor in the quick GELU x·σ(1.702x)."""


class MLP(nn.Module):
    """Two linear layers, dim → 4·dim → dim, with the quick GELU x·σ(1.702x) between."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.expand = nn.Linear(dim, 4 * dim)
        self.contract = nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(…, dim) → (…, dim)."""
        # x·σ(1.702x) = silu(1.702x) / 1.702, and both factors move into the small weights: one
        # operation on the wide tensor, and one copy of it kept for the backward pass.
        expand, contract = self.expand, self.contract
        wide = functional.linear(x, QUICK * expand.weight, QUICK * expand.bias)
        return functional.linear(functional.silu(wide), contract.weight / QUICK, contract.bias)

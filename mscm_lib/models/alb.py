"""ALB, the information adoptive lossless block, and the channel attention inside it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SOURCE_CONV = {4: (6, 4, 2), 2: (4, 2, 1)}
"""Kernel, stride and padding that bring a source 4 or 2 times finer to layer 3's resolution."""


def source_conv(channels: int, width: int, ratio: int) -> nn.Conv2d:
    """Strided convolution from ``channels`` to ``width``, each side ``ratio`` times smaller."""
    kernel, stride, padding = SOURCE_CONV[ratio]
    return nn.Conv2d(channels, width, kernel, stride=stride, padding=padding)


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
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def _project(self, x: Tensor, first: int, count: int) -> list[Tensor]:
        """``count`` of (query, key, value), from the ``first`` on, each (B, heads, T, D/heads)."""
        dim = x.shape[-1]
        rows = slice(first * dim, (first + count) * dim)
        stacked = functional.linear(x, self.in_proj_weight[rows], self.in_proj_bias[rows])
        parts = stacked.unflatten(-1, (count, self.heads, -1))  # (B, T, count, heads, D/heads)
        return [part.transpose(1, 2) for part in parts.unbind(2)]

    def _join(self, attended: Tensor) -> Tensor:
        return self.out_proj(attended.transpose(1, 2).flatten(2))  # (B, T, D)

    def self_attention(self, x: Tensor) -> Tensor:
        """Attention of ``x`` (B, T, D) to itself."""
        query, key, value = self._project(x, 0, 3)
        return self._join(functional.scaled_dot_product_attention(query, key, value))

    def guided_attention(self, guide: Tensor, x: Tensor) -> Tensor:
        """Query and key from ``guide``, value from ``x``, both (B, T, D)."""
        query, key = self._project(guide, 0, 2)
        (value,) = self._project(x, 2, 1)
        return self._join(functional.scaled_dot_product_attention(query, key, value))

    def cross_attention(self, x: Tensor, context: Tensor) -> Tensor:
        """Query from ``x`` (B, T, D), key and value from ``context`` (B, S, D)."""
        (query,) = self._project(x, 0, 1)
        key, value = self._project(context, 1, 2)
        return self._join(functional.scaled_dot_product_attention(query, key, value))

    def weights(self, query: Tensor, key: Tensor) -> Tensor:
        """The attention map itself, (B, heads, T, S), for looking inside; rows sum to 1."""
        (projected_query,) = self._project(query, 0, 1)
        (projected_key,) = self._project(key, 1, 1)
        scale = projected_query.shape[-1] ** -0.5
        return (projected_query @ projected_key.mT * scale).softmax(dim=-1)


class MLP(nn.Module):
    """Two linear layers, dim → 4·dim → dim, with the quick GELU x·σ(1.702x) between."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.expand = nn.Linear(dim, 4 * dim)
        self.contract = nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(…, dim) → (…, dim)."""
        # x·σ(1.702x) = silu(1.702x) / 1.702: one tensor is kept for the backward pass, not two.
        return self.contract(functional.silu(1.702 * self.expand(x)) / 1.702)


class ALB(nn.Module):
    """Refines the layer-3 feature by the channel correlations of one shallower source.

    A token is a channel: C/4 tokens of H·W numbers, and attention runs between channels.

    1. x ← 1×1 conv, C → C/4; s ← strided conv of the source to C/4 channels at x's size.
    2. Tokens: (B, C/4, H·W).
    3. x ← LN(x), s ← LN(s). No skip runs around this norm.
    4. x ← x + 0.1·s; x ← x + MHA(query = s, key = s, value = x).
       Layer 3 as its own source: x ← x + MHA(x, x, x).
    5. x ← x + MLP(LN(x)).
    6. Back to (B, C/4, H, W), then 1×1 conv C/4 → C; no residual around the block.

    Source: ALB of arXiv 2311.14395 as its public release computes it.

    Args:
        channels: C, the channels of layer 3.
        positions: H·W of layer 3, the numbers in a token.
        head_dim: positions that one head sees; must divide ``positions``.
        source_channels: channels of the source, or 0 where layer 3 is its own source.
        ratio: how many times finer than layer 3 the source is, 4 or 2; unused for layer 3 itself.
    """

    def __init__(
        self, channels: int, positions: int, head_dim: int, source_channels: int = 0, ratio: int = 1
    ) -> None:
        super().__init__()
        width = channels // 4
        self.narrow = nn.Conv2d(channels, width, kernel_size=1)
        self.norm = nn.LayerNorm(positions)
        self.source: nn.Conv2d | None = None
        self.source_norm: nn.LayerNorm | None = None
        if source_channels:
            self.source = source_conv(source_channels, width, ratio)
            self.source_norm = nn.LayerNorm(positions)
        self.attention = Attention(positions, positions // head_dim)
        self.mlp_norm = nn.LayerNorm(positions)
        self.mlp = MLP(positions)
        self.broad = nn.Conv2d(width, channels, kernel_size=1)

    def tokens(self, x: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
        """Steps 1 to 3: the normalised tokens of x and of the source, each (B, C/4, H·W)."""
        x = self.norm(self.narrow(x).flatten(2))  # (B, C/4, H·W)
        if self.source is None or self.source_norm is None:
            return x, x
        return x, self.source_norm(self.source(source).flatten(2))  # (B, C/4, H·W)

    def forward(self, x: Tensor, source: Tensor) -> Tensor:
        """(B, C, H, W) and the source's map → (B, C, H, W); an own-source block takes x for it."""
        height, width = x.shape[2:]
        x, guide = self.tokens(x, source)
        if guide is x:
            x = x + self.attention.self_attention(x)
        else:
            x = x + 0.1 * guide
            x = x + self.attention.guided_attention(guide, x)
        x = x + self.mlp(self.mlp_norm(x))
        return self.broad(x.unflatten(2, (height, width)))  # (B, C/4, H·W) → (B, C, H, W)

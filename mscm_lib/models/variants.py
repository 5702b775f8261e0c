"""Every network that the study compares, by name, as arguments of `MSCMNet`."""

from __future__ import annotations

from typing import Any

VARIANTS: dict[str, dict[str, Any]] = {
    # The method, and the AGW-style baseline.
    "mscmnet": {},
    "baseline": {"streams": "dual", "multi_scale": "none"},
    # Streams.
    "dual": {"streams": "dual"},
    "quadruple-shared": {"streams": "quadruple-shared"},
    # Multi-scale strategies.
    "none": {"multi_scale": "none"},
    "concatenation": {"multi_scale": "concatenation"},
    "pyramid": {"multi_scale": "pyramid"},
    "cross-attention": {"multi_scale": "cross-attention"},
    "self-attention": {"multi_scale": "self-attention"},
    # One to three ALBs, shallow sources first; and deep sources first.
    "alb-1": {"alb_sources": ("stem",)},
    "alb-2": {"alb_sources": ("stem", "layer1")},
    "alb-3": {"alb_sources": ("stem", "layer1", "layer2")},
    "alb-reversed": {"alb_sources": ("layer3", "layer2", "layer1", "stem")},
    # Trunk.
    "local": {"non_local": False},
    "resnet18": {"backbone": "resnet18"},
    "resnet34": {"backbone": "resnet34"},
    "convnext": {"backbone": "timm:convnext_atto"},
}

"""Batch norms folded into the convolutions before them: the same features, faster."""

from __future__ import annotations

import copy
import itertools

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mscm_lib.models.network import MSCMNet


def fold_batch_norms(net: MSCMNet) -> MSCMNet:
    """A copy of ``net`` for embedding alone, in which no batch norm after a convolution is left.

    At test a batch norm is one scale and shift per channel, which the convolution before it can
    carry: features agree with the network's to float32 rounding, and a pass over every map is
    saved. The copy is in evaluation mode and cannot be trained or saved under the network's names.
    """
    folded = copy.deepcopy(net).eval()
    for parent in list(folded.modules()):
        for (name, conv), (norm_name, norm) in itertools.pairwise(list(parent.named_children())):
            # torchvision and this project register a convolution's batch norm right after it.
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(conv, norm))
                setattr(parent, norm_name, nn.Identity())
    return folded

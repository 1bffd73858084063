"""Quantization as a training step sees it: values rounded as the file format will round them, gradients as if not.

Rounding has a gradient of zero almost everywhere. The straight-through estimator replaces it by one, so that a weight
goes on moving although the model computes with the nearest value the format can hold.
"""
import torch
from torch import nn
from torch.nn.utils import parametrize

BLOCK = 32  # columns that share a scale


def half(scale):
    """Scales are stored in half precision; zero blocks divide by one."""
    scale = scale.half().float()
    return torch.where(scale == 0, torch.ones_like(scale), scale)


def round_int8(blocks):
    """Q8_0: the largest magnitude becomes 127."""
    scale = half(blocks.abs().amax(-1, keepdim=True) / 127)
    return (blocks / scale).round().clamp(-127, 127) * scale


def round_int4(blocks):
    """Q4_0: the value of largest magnitude becomes -8, whatever its sign; 7 is the most on the other side."""
    peak = blocks.gather(-1, blocks.abs().argmax(-1, keepdim=True))
    scale = half(peak / -8)
    return (blocks / scale + 8.5).floor().clamp(0, 15).sub(8) * scale


ROUNDERS = {"int8": round_int8, "int4": round_int4}


class FakeQuantized(nn.Module):
    """Parametrization of a matrix by the matrix before rounding."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def forward(self, weight):
        rounded = ROUNDERS[self.kind](weight.view(weight.shape[0], -1, BLOCK)).view_as(weight)
        return weight + (rounded - weight).detach()


def fake_quantize(model, kind):
    """From here on the model computes with rounded matrices, the embedding among them."""
    for module in list(model.modules()):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            parametrize.register_parametrization(module, "weight", FakeQuantized(kind))


def plain_weights(model):
    """The weights under their plain names, before rounding: the exporter rounds them once, in the same way."""
    return {name.replace("parametrizations.weight.original", "weight"): value
            for name, value in model.state_dict().items()}

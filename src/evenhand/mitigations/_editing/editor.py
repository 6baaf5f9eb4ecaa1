"""MEND's editor, a small network that makes a better gradient of that of an edit (Mitchell et al. 2022).

For a map W [out, in] the gradient of an edit's loss is a sum over tokens of ``d uᵀ``, u the map's input and d
the loss's gradient at its output. The editor takes a token's pair (u, d), each coordinate less its mean and
over its standard deviation over the training requests, and gives another pair:

    z = (u~, d~)      h = z + relu(s1 (U1 V1 z + b1) + o1)      (u', d') = h + relu(s2 (U2 V2 h + b2) + o2)
    W' = W - alpha sum over tokens of d' u'ᵀ

Each layer adds to the identity a map of low rank, with a scale and a shift for each matrix (maps of one shape
share the rest). U is 0 at first: the editor begins as the normalised gradient itself. alpha is learned, one
for each matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_EPS = 1e-7


@dataclass(frozen=True)
class Gradient:
    """The tokens of an edit at one map: its inputs u [T, in], and gradients d [T, out] at its output."""

    given: Tensor
    slope: Tensor

    def real(self) -> Gradient:
        """Only the tokens at which both are not 0: others, such as padding, add nothing."""
        kept = (self.given != 0).any(1) & (self.slope != 0).any(1)
        return Gradient(self.given[kept], self.slope[kept])


class Layer(nn.Module):
    """``x + relu(scale * (U V x + b) + shift)``, with a scale and a shift for each of `maps` matrices."""

    def __init__(self, width: int, rank: int, maps: int) -> None:
        super().__init__()
        self.u = nn.Parameter(torch.zeros(width, rank))
        self.v = nn.Parameter(torch.randn(rank, width) * (2 / (rank + width)) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(width))
        self.scale = nn.Parameter(torch.ones(maps, width))
        self.shift = nn.Parameter(torch.zeros(maps, width))

    def forward(self, x: Tensor, number: int) -> Tensor:
        """Of tokens [T, width] of the matrix `number`."""
        inner = (x @ self.v.T) @ self.u.T + self.bias
        # clamp, whose gradient at 0 is 1: with relu's 0 an editor that begins as the identity would stay it
        return x + (self.scale[number] * inner + self.shift[number]).clamp(min=0)


class Shape(nn.Module):
    """The editor of all maps of one shape (out, in): the moments of their tokens, and two layers."""

    moments: Tensor  # means, then standard deviations: [2, in + out]

    def __init__(self, out: int, given: int, rank: int, maps: int) -> None:
        super().__init__()
        self.given, width = given, out + given
        self.layers = nn.ModuleList(Layer(width, min(rank, width), maps) for _ in range(2))
        self.register_buffer("moments", torch.stack([torch.zeros(width), torch.ones(width)]))

    def forward(self, gradient: Gradient, number: int) -> Gradient:
        """The edited pair of each token of the matrix `number` among those of this shape."""
        x = torch.cat([gradient.given, gradient.slope], dim=1)  # [T, in + out]
        mean, deviation = self.moments
        x = (x - mean) / (deviation + _EPS)
        for layer in self.layers:
            x = layer(x, number)
        return Gradient(x[:, : self.given], x[:, self.given :])


class Editor(nn.Module):
    """The editors of `shapes` (out, in), one shape for each map, and alpha of each map."""

    def __init__(self, shapes: Sequence[tuple[int, int]], rank: int, edit_lr: float) -> None:
        super().__init__()
        kinds = list(dict.fromkeys(shapes))
        self.of = nn.ModuleList(Shape(*kind, rank, shapes.count(kind)) for kind in kinds)
        # Each map: the number of its shape, and its own number among those of the shape.
        self.place = [(kinds.index(s), list(shapes[:i]).count(s)) for i, s in enumerate(shapes)]
        self.alpha = nn.Parameter(torch.full((len(shapes),), edit_lr))

    def forward(self, gradients: Sequence[Gradient]) -> list[Gradient]:
        """The edited pairs of each map; the slope is already times -alpha, so that W' = W + slopeᵀ given."""
        found = []
        for i, (gradient, (kind, number)) in enumerate(zip(gradients, self.place, strict=True)):
            made: Gradient = self.of[kind](gradient.real(), number)
            found.append(Gradient(made.given, -self.alpha[i] * made.slope))
        return found

    @torch.no_grad()
    def normalise(self, seen: Sequence[Sequence[Gradient]]) -> None:
        """Take the mean and the standard deviation of every coordinate over all tokens of `seen` edits."""
        for kind, shape in enumerate(self.of):
            rows = [
                torch.cat([g.given, g.slope], dim=1)
                for gradients in seen
                for gradient, place in zip(gradients, self.place, strict=True)
                if place[0] == kind
                for g in (gradient.real(),)
            ]
            every = torch.cat(rows).double()  # [tokens, in + out]
            shape.get_buffer("moments").copy_(torch.stack([every.mean(0), every.std(0)]))

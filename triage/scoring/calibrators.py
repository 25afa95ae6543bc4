"""Margins into calibrated probabilities. The same code when a calibrator is chosen and when it serves."""

from __future__ import annotations

from bisect import bisect_right
from math import exp, log, log1p
from typing import Literal

import numpy as np
import numpy.typing as npt
from msgspec import Struct

Floats = npt.NDArray[np.float64]
Kind = Literal["none", "platt", "beta", "isotonic", "temperature"]
EDGE = 1e-6
"""No probability is nearer to 0 or 1 than this: nobody has seen enough to be surer."""


class Calibrator(Struct, frozen=True, kw_only=True):
    """
    How a margin becomes a probability.

    Attributes:
        kind: `platt`: sigmoid(a m + b). `beta`: sigmoid(a ln p - b ln(1 - p) + c). `isotonic`: steps joined by lines.
            `temperature`: for several classes, softmax(a m + b_k).
        params: a, b; or a, b, c; or a and one b for each class.
        knots: Of isotonic: margins ascending, and the probability at each; float64, for steps jump in float32.
    """

    kind: Kind = "none"
    params: tuple[float, ...] = ()
    knots: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())

    def probability(self, margin: float) -> float:
        """Return the probability of the second of two classes at *margin*, within `EDGE`."""
        if self.kind == "platt":
            answer = sigmoid(self.params[0] * margin + self.params[1])
        elif self.kind == "beta":
            a, b, c = self.params
            answer = sigmoid(a * -softplus(-margin) + b * softplus(margin) + c)
        elif self.kind == "isotonic":
            answer = interpolate(margin, *self.knots)
        else:
            answer = sigmoid(margin)
        return min(1.0 - EDGE, max(EDGE, answer))

    def probabilities(self, margins: Floats) -> Floats:
        """Return the probabilities of several classes, of the shape (n_classes,) of *margins*."""
        if self.kind == "temperature":
            margins = self.params[0] * margins + np.asarray(self.params[1:])
        powers = np.exp(margins - margins.max())
        answer: Floats = powers / powers.sum()
        return answer


def sigmoid(margin: float) -> float:
    """Return 1 / (1 + e^-margin) without overflow."""
    if margin >= 0:
        return 1.0 / (1.0 + exp(-margin))
    power = exp(margin)
    return power / (1.0 + power)


def softplus(margin: float) -> float:
    """Return ln(1 + e^margin) without overflow; -softplus(-m) is ln p, -softplus(m) is ln(1 - p)."""
    return margin + log1p(exp(-margin)) if margin > 0 else log1p(exp(margin))


def logit(probability: float) -> float:
    """Return ln(p / (1 - p)), p kept within `EDGE` of 0 and 1."""
    kept = min(1.0 - EDGE, max(EDGE, probability))
    return log(kept / (1.0 - kept))


def interpolate(at: float, places: tuple[float, ...], values: tuple[float, ...]) -> float:
    """Return the value at *at* on the line through (*places*, *values*), flat beyond its ends."""
    right = bisect_right(places, at)
    if right == 0:
        return values[0]
    if right == len(places):
        return values[-1]
    one, other = places[right - 1], places[right]
    share = (at - one) / (other - one)
    return values[right - 1] + share * (values[right] - values[right - 1])

# SPDX-License-Identifier: MIT OR Apache-2.0
"""The arithmetic of the cost harness: paired differences, their median, and how sure it is."""

import random
import statistics
from dataclasses import dataclass

RESAMPLES = 2000
SEED = 20231  # the same windows always give the same interval


@dataclass(frozen=True)
class Estimate:
    """A median with a 95 % bootstrap interval; `n` values went in."""

    median: float
    low: float
    high: float
    n: int

    def as_dict(self):
        return {"median": self.median, "low": self.low, "high": self.high, "n": self.n}


def quantile(ordered, q):
    """Linear between the two nearest values of a sorted list."""
    if not ordered:
        raise ValueError("quantile of nothing")
    at = q * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def estimate(values, resamples=RESAMPLES):
    """Median and 95 % percentile-bootstrap interval, or None without values. With fewer than five values the interval
    is the whole range: resampling so few would claim more than they know."""
    values = [v for v in values if v is not None]
    if not values:
        return None
    middle = statistics.median(values)
    if len(values) < 5:
        return Estimate(middle, min(values), max(values), len(values))
    rng = random.Random(SEED)
    medians = sorted(statistics.median(rng.choices(values, k=len(values))) for _ in range(resamples))
    return Estimate(middle, quantile(medians, 0.025), quantile(medians, 0.975), len(values))


def per_unit(window, key):
    """Cost of one unit of work in a window, or None when no work was done in it."""
    if window is None or window["units"] <= 0:
        return None
    return window[key] / window["units"]


def difference(before, arm, after, key):
    """Extra cost per unit of a window against the mean of the bare windows on both sides of it, so that a drift of the
    machine that is linear over the three cancels. Returns (relative, absolute) or (None, None)."""
    costs = [per_unit(w, key) for w in (before, arm, after)]
    if None in costs:
        return None, None
    bare = (costs[0] + costs[2]) / 2
    if bare <= 0:
        return None, None
    return costs[1] / bare - 1, costs[1] - bare


def rate(window, key):
    """Per second of wall time."""
    if window is None or window["wall_ns"] <= 0 or window.get(key) is None:
        return None
    return window[key] * 1e9 / window["wall_ns"]


def extra_rate(before, arm, after, key):
    rates = [rate(w, key) for w in (before, arm, after)]
    if None in rates:
        return None
    return rates[1] - (rates[0] + rates[2]) / 2


def percent(estimated):
    """The same estimate in per cent."""
    if estimated is None:
        return None
    return Estimate(estimated.median * 100, estimated.low * 100, estimated.high * 100, estimated.n)

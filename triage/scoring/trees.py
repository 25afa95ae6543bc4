"""Boosted trees as plain arrays: one row is walked in Python, many rows in numpy. The sums agree to 1e-12."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
ARRAYS = ("feature", "threshold", "left", "right", "missing_left", "value", "roots", "outputs", "baseline")
"""Names of a forest's arrays. Nodes of all trees lie in one row; `feature` is -1 at a leaf."""


class Forest:
    """
    Trees whose leaves add up to one margin for each output.

    Args:
        arrays: By the names in `ARRAYS`. `roots` and `outputs` of shape (n_trees,): a tree's first node, and the output
            that it adds to; `baseline` of shape (n_outputs,); the others of shape (n_nodes,). `value` of an inner node
            is what the tree would say if it ended there.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        self.feature = np.asarray(arrays["feature"], dtype=np.int32)
        self.threshold = np.asarray(arrays["threshold"], dtype=np.float64)
        self.left = np.asarray(arrays["left"], dtype=np.int32)
        self.right = np.asarray(arrays["right"], dtype=np.int32)
        self.missing_left = np.asarray(arrays["missing_left"], dtype=np.bool_)
        self.value = np.asarray(arrays["value"], dtype=np.float64)
        self.roots = np.asarray(arrays["roots"], dtype=np.int32)
        self.outputs = np.asarray(arrays["outputs"], dtype=np.int32)
        self.baseline = np.asarray(arrays["baseline"], dtype=np.float64)
        self._nodes = list(zip(*self._columns(), strict=True))
        self._walked: tuple[Sequence[float], list[float]] = ((), [])
        self._roots = list(zip(self.roots.tolist(), self.outputs.tolist(), strict=True))

    def _columns(self) -> list[list[Any]]:
        """Return what a walk reads at each node, column by column; last what a node adds to its parent's value."""
        inner = np.flatnonzero(self.feature >= 0)
        added = np.zeros(len(self.value))
        for children in (self.left, self.right):
            added[children[inner]] = self.value[children[inner]] - self.value[inner]
        arrays = (self.feature, self.threshold, self.left, self.right, self.missing_left, self.value, added)
        return [array.tolist() for array in arrays]

    @property
    def size(self) -> int:
        """How many outputs there are."""
        return len(self.baseline)

    def single(self, row: Sequence[float]) -> list[float]:
        """Return the margin of each output for one row of features."""
        walked = self._walked
        if walked[0] is row:
            # Its reasons were asked for just before: the way down is the same.
            return list(walked[1])
        nodes = self._nodes
        sums: list[float] = self.baseline.tolist()
        for root, output in self._roots:
            feature, threshold, left, right, missing_left, value, _ = nodes[root]
            while feature >= 0:
                cell = row[feature]
                # NaN is never <= anything: it goes where fitting saw that missing values belong.
                at = left if cell <= threshold or (missing_left and cell != cell) else right
                feature, threshold, left, right, missing_left, value, _ = nodes[at]
            sums[output] += value
        return sums

    def many(self, rows: Floats) -> Floats:
        """Return margins of shape (n_rows, n_outputs) for *rows* of shape (n_rows, n_features)."""
        sums = np.tile(self.baseline, (len(rows), 1))
        everyone = np.arange(len(rows))
        for root, output in self._roots:
            at = np.full(len(rows), root, dtype=np.int32)
            moving = everyone
            while len(moving):
                feature = self.feature[at[moving]]
                inner = feature >= 0
                moving, feature = moving[inner], feature[inner]
                here = at[moving]
                cell = rows[moving, feature]
                left = (cell <= self.threshold[here]) | (self.missing_left[here] & np.isnan(cell))
                at[moving] = np.where(left, self.left[here], self.right[here])
            sums[:, output] += self.value[at]
        return sums

    def shares(self, row: Sequence[float], n_features: int) -> Floats:
        """Return, of shape (n_outputs, n_features), how far each feature moved each margin on one row's way down."""
        moved = [[0.0] * n_features for _ in range(self.size)]
        sums: list[float] = self.baseline.tolist()
        nodes = self._nodes
        for root, output in self._roots:
            way = moved[output]
            feature, threshold, left, right, missing_left, value, added = nodes[root]
            while feature >= 0:
                cell, split_by = row[feature], feature
                feature, threshold, left, right, missing_left, value, added = nodes[
                    left if cell <= threshold or (missing_left and cell != cell) else right
                ]
                way[split_by] += added
            sums[output] += value
        self._walked = (row, sums)
        return np.array(moved)

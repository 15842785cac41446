"""Who is matched with whom, at the least total cost."""

from __future__ import annotations

import numpy as np

__all__ = ["assign"]


def assign(cost: np.ndarray) -> list[tuple[int, int]]:
    """Match rows with columns so that the sum of the costs is the least possible.

    Exact, by shortest augmenting paths, O(n³): H. W. Kuhn, «The Hungarian method for the
    assignment problem», 1955, in the form of R. Jonker and A. Volgenant, Computing 38, 1987. A
    frame has a few dozen faces at most, so no compiled solver is needed.

    Args:
        cost: float array of shape (n, m), finite.

    Returns:
        The min(n, m) pairs of a row and a column, by row.

    >>> assign(np.array([[4.0, 1.0, 3.0], [2.0, 0.0, 5.0]]))
    [(0, 1), (1, 0)]
    """
    if not cost.size:
        return []
    if cost.shape[0] > cost.shape[1]:
        return sorted((row, column) for column, row in assign(cost.T))
    rows, columns = cost.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    owner = np.full(columns, -1)
    for row in range(rows):
        _augment(cost, row, owner, row_price, column_price)
    return sorted((int(row), column) for column, row in enumerate(owner) if row >= 0)


def _augment(
    cost: np.ndarray,
    start: int,
    owner: np.ndarray,
    row_price: np.ndarray,
    column_price: np.ndarray,
) -> None:
    """Give one more row a column, along the cheapest path that moves others to other columns."""
    columns = len(owner)
    distance, before = np.full(columns, np.inf), np.full(columns, start)
    done = np.zeros(columns, bool)
    row, reached, visited = start, 0.0, [start]
    while True:
        through = reached + cost[row] - row_price[row] - column_price
        nearer = ~done & (through < distance)
        distance[nearer], before[nearer] = through[nearer], row
        column = int(np.where(done, np.inf, distance).argmin())
        reached = float(distance[column])
        done[column] = True
        if owner[column] < 0:
            break
        row = int(owner[column])
        visited.append(row)
    row_price[start] += reached
    for other in visited[1:]:
        row_price[other] += reached - distance[owner == other].item()
    column_price[done] -= reached - distance[done]
    while True:
        row = int(before[column])
        free, owner[column] = column, row
        if row == start:
            return
        column = int(np.flatnonzero((owner == row) & (np.arange(columns) != free)).item())

"""k-reciprocal re-ranking by its definition: whole matrices, one image at a time."""

import numpy as np


def squared_distances(features):
    """(n, n) from the differences themselves, in float64."""
    features = features.astype(np.float64)
    return np.array([((features - row) ** 2).sum(axis=1) for row in features])


def dense_rerank(squared, queries, k1, k2, lambda_):
    """(N, M) distances of the first ``queries`` images to the others, from (n, n) squared ones."""
    distances = squared / squared.max(axis=1, keepdims=True)
    count = len(distances)
    to_sort = squared.copy()
    np.fill_diagonal(to_sort, -1)  # an image is its own nearest
    order = np.argsort(to_sort, axis=1, kind="stable")

    def reciprocal(p, k):
        forward = order[p, : k + 1]
        return forward[(order[forward, : k + 1] == p).any(axis=1)]

    weights = np.zeros_like(distances)
    for p in range(count):
        near = members = reciprocal(p, k1)
        for candidate in near:
            half = reciprocal(candidate, int(np.around(k1 / 2)))
            if len(np.intersect1d(half, near)) > 2 / 3 * len(half):
                members = np.append(members, half)
        members = np.unique(members)
        weights[p, members] = np.exp(-distances[p, members])
        weights[p] /= weights[p].sum()
    weights = np.array([weights[order[p, :k2]].mean(axis=0) for p in range(count)])
    having = [np.flatnonzero(column) for column in weights[queries:].T]  # gallery images with j
    result = lambda_ * distances[:queries, queries:]
    for p in range(queries):
        smaller = np.zeros(count - queries)
        for j in np.flatnonzero(weights[p]):
            images = having[j]
            smaller[images] += np.minimum(weights[p, j], weights[queries + images, j])
        result[p] += (1 - lambda_) * (1 - smaller / (2 - smaller))  # rows of weights sum to 1
    return result

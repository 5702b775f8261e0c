"""The metric losses as their formulas read: loops over rows, float64, one distance at a time."""

import torch
from torch.nn import functional

PAIRED = {"cross": [3, 2, 1, 0], "parallel": [2, 3, 0, 1], "own": [0, 1, 2, 3]}


def distance(a, b):
    return (a - b).pow(2).sum().clamp(min=1e-12).sqrt()


def mean(values):
    return sum(values) / len(values) if len(values) else torch.zeros((), dtype=torch.float64)


def center(features, rows):
    return mean([features[i] for i in rows])


def rows_where(labels, label, rows):
    return [j for j in rows if labels[j] == label]


def qct(features, labels, margin, alpha, pairing):
    n, labels = len(features), labels.tolist()
    size = n // 4
    everything = range(n)
    centers = {y: center(features, rows_where(labels, y, everything)) for y in set(labels)}
    dual, quadruple, separation = [], [], []
    for i in everything:
        stream = i // size
        other = range(2 * size, n) if stream < 2 else range(2 * size)
        if rows := rows_where(labels, labels[i], other):
            dual.append(distance(features[i], center(features, rows)))
        first = PAIRED[pairing][stream] * size
        if rows := rows_where(labels, labels[i], range(first, first + size)):
            quadruple.append(distance(features[i], center(features, rows)))
        to = {y: distance(features[i], c) for y, c in centers.items()}
        hinges = [(margin - to[y]).clamp(min=0) for y in labels if y != labels[i]]
        separation.append(mean(hinges))
    return 0.5 * ((1 - alpha) * mean(dual) + alpha * mean(quadruple) + mean(separation))


def batch_hard(features, labels, margin=0.3):
    n, losses = len(features), []
    for i in range(n):
        to = [distance(features[i], features[j]) for j in range(n)]
        near = max(to[j] for j in range(n) if labels[j] == labels[i])
        far = [to[j] for j in range(n) if labels[j] != labels[i]]
        losses.append((margin + near - min(far)).clamp(min=0) if far else 0 * near)
    return mean(losses)


def weighted_means(to, positive, negative):
    """Of one row's distances: the positives', far ones foremost; the negatives', near ones."""
    hardest = max(float(to[j].detach()) for j in positive)
    near = {j: (to[j] - hardest).exp() for j in positive}
    far = {j: (-to[j]).exp() for j in negative}
    return [
        sum(weight * to[j] for j, weight in weights.items()) / (sum(weights.values()) + 1e-6)
        for weights in (near, far)
    ]


def weighted_triplet(features, labels):
    n, losses = len(features), []
    for i in range(n):
        to = [distance(features[i], features[j]) for j in range(n)]
        positive = [j for j in range(n) if labels[j] == labels[i]]  # i itself, too
        negative = [j for j in range(n) if labels[j] != labels[i]]
        if negative:
            near, far = weighted_means(to, positive, negative)
            losses.append(torch.log(1 + torch.exp(near - far)))
    return mean(losses)


def squared_triplet(features, labels):
    n, losses = len(features), []
    for i in range(n):
        to = [distance(features[i], features[j]) for j in range(n)]
        positive = [j for j in range(n) if labels[j] == labels[i]]
        negative = [j for j in range(n) if labels[j] != labels[i]]
        if negative:
            near, far = weighted_means(to, positive, negative)
            square = (near - far) ** 2
            if square > 88:
                square = torch.tensor(88.0).double()
            losses.append(functional.softplus(square if near > far else -square))
    return mean(losses)


def tri_directional(features, labels, invariance=1.0):
    size = len(features) // 3
    visible, gray, infrared = (range(size * k, size * (k + 1)) for k in range(3))
    directions = []
    for anchors, others in ((visible, infrared), (infrared, gray), (gray, visible)):
        losses = []
        for i in anchors:
            to = {j: distance(features[i], features[j]) for j in others}
            positive = [j for j in others if labels[j] == labels[i]]
            negative = [j for j in others if labels[j] != labels[i]]
            if positive and negative:
                near, far = weighted_means(to, positive, negative)
                losses.append(torch.log(1 + torch.exp(near - far)))
        directions.append(mean(losses))
    apart = [
        0.5 * x * x if x.abs() < 1 else x.abs() - 0.5
        for i in visible
        for x in features[i] - features[i + size]
    ]
    return mean(directions) + invariance * mean(apart)


def center_loss(features, labels, centers):
    squares = [(features[i] - centers[y]).pow(2).sum() for i, y in enumerate(labels.tolist())]
    return 0.5 * mean(squares)


def center_triplet(features, labels, margin=0.3):
    labels, everything = labels.tolist(), range(len(features))
    centers = {y: center(features, rows_where(labels, y, everything)) for y in set(labels)}
    losses = []
    for i in everything:
        near = distance(features[i], centers[labels[i]])
        far = [distance(features[i], c) for y, c in centers.items() if y != labels[i]]
        losses.append((margin + near - min(far)).clamp(min=0) if far else 0 * near)
    return mean(losses)


def by_modality(features, labels):
    """Two dictionaries from identity to center: visible, infrared."""
    labels, half = labels.tolist(), len(features) // 2
    halves = (range(half), range(half, len(features)))
    return [
        {y: center(features, rows_where(labels, y, rows)) for y in {labels[i] for i in rows}}
        for rows in halves
    ]


def hetero_center(features, labels):
    visible, infrared = by_modality(features, labels)
    return mean([(visible[y] - infrared[y]).pow(2).sum() for y in visible if y in infrared])


def hetero_center_triplet(features, labels, margin=0.3):
    visible, infrared = by_modality(features, labels)
    losses = []
    for y in visible:
        if y not in infrared:
            continue
        near = distance(visible[y], infrared[y])
        for anchor in (visible[y], infrared[y]):
            far = [distance(anchor, c) for side in (visible, infrared) for z, c in side.items()
                   if z != y]  # fmt: skip
            losses.append((margin + near - min(far)).clamp(min=0) if far else 0 * near)
    return mean(losses)

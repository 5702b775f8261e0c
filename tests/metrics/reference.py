"""The published definitions, one query and one image at a time, on a ranked list."""


def reference_metrics(
    distances, query_ids, gallery_ids, query_cams, gallery_cams, protocol, max_rank
):
    queries, gallery = len(query_ids), len(gallery_ids)
    rows, hits = [], []
    for q in range(queries):
        ranked = sorted(range(gallery), key=lambda g: (distances[q][g], g))
        kept = []
        for g in ranked:
            if protocol == "sysu" and query_cams[q] == 3 and gallery_cams[g] == 2:
                continue
            same = query_ids[q] == gallery_ids[g] and query_cams[q] == gallery_cams[g]
            if protocol in ("llcm", "market") and same:
                continue
            kept.append(gallery_ids[g])
        ranks = [rank for rank, person in enumerate(kept, 1) if person == query_ids[q]]
        if not ranks:
            rows.append(None)
            continue
        listed = list(dict.fromkeys(kept)) if protocol in ("sysu", "llcm") else kept
        curve, found = [], 0.0
        for person in listed[:max_rank]:
            found = 1.0 if person == query_ids[q] else found
            curve.append(found)
        curve += [1.0 if listed.index(query_ids[q]) < len(curve) else 0.0] * (max_rank - len(curve))
        hits.append(curve)
        ap = sum(k / rank for k, rank in enumerate(ranks, 1)) / len(ranks)
        rows.append((ap, len(ranks) / ranks[-1], listed.index(query_ids[q]) + 1, len(ranks)))
    valid = [row for row in rows if row is not None]
    if not valid:
        return None
    return {
        "cmc": [sum(column) / len(valid) for column in zip(*hits, strict=True)],
        "mean_ap": sum(row[0] for row in valid) / len(valid),
        "mean_inp": sum(row[1] for row in valid) / len(valid),
        "valid_queries": len(valid),
        "rows": rows,
    }

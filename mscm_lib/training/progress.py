"""A line an epoch, for notebooks and logs alike."""

from __future__ import annotations

from collections.abc import Mapping

LABELS = {
    "identity_loss": "identity",
    "metric_loss": "metric",
    "accuracy": "accuracy",
    "rate": "rate",
    "validation_rank1": "val rank-1",
    "validation_map": "val mAP",
    "test_rank1": "test rank-1",
    "test_map": "test mAP",
}
PERCENT = {"accuracy", "validation_rank1", "validation_map", "test_rank1", "test_map"}


def epoch_line(row: Mapping[str, float], epochs: int, rate: float, left: float) -> str:
    """One finished epoch, readable without a header.

    Args:
        row: the epoch's history row.
        epochs: of the whole run.
        rate: images per second, counted as views that went through the trunk.
        left: seconds until the run's end, if it goes on as fast.
    """
    digits = len(str(epochs))
    parts = [f"epoch {int(row['epoch']) + 1:{digits}d}/{epochs}", f"loss {row['loss']:.4f}"]
    for key, label in LABELS.items():
        value = row.get(key)
        if value is None or value != value:
            continue
        if key in PERCENT:
            parts.append(f"{label} {100 * value:.1f} %")
        else:
            parts.append(f"{label} {value:.4g}" if key == "rate" else f"{label} {value:.4f}")
    parts.append(f"{rate:.0f} images/s" if rate >= 10 else f"{rate:.1f} images/s")
    parts.append(f"{duration(left)} left")
    return " · ".join(parts)


def duration(seconds: float) -> str:
    """Seconds as a person says them: "42 s", "3 min 20 s", "2 h 05 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"

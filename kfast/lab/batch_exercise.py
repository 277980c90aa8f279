"""The exercise of the dashboard: how large must a batch be? Checks an answer against what the reader measured."""

from __future__ import annotations

from collections.abc import Mapping

SHARE = 0.8
SIZES_WANTED = 5


def check_batch_answer(answer: int | None, produce_mb_per_s: Mapping[int, float]) -> str:
    """Is `answer` the smallest batch size, of those tried, that reaches SHARE of the best throughput?

    `produce_mb_per_s` has the median for each batch size that was tried.
    """
    tried = ", ".join(f"{size:,}" for size in sorted(produce_mb_per_s)) or "none"
    if len(produce_mb_per_s) < SIZES_WANTED:
        return f"Batch sizes measured so far: {tried}. Try at least {SIZES_WANTED}, small ones among them."
    best = max(produce_mb_per_s.values())
    smallest = min(size for size, rate in produce_mb_per_s.items() if rate >= SHARE * best)
    if answer is None:
        return f"Batch sizes measured: {tried}. Now give your answer."
    if answer not in produce_mb_per_s:
        return f"You have not measured {answer:,} records a batch; measured: {tried}."
    rate = (
        f"{answer:,} records a batch reached {produce_mb_per_s[answer] / best:.0%} of the best throughput you measured"
    )
    if answer == smallest:
        return f"Right: {rate}, and no smaller one you tried reached {SHARE:.0%}."
    if answer > smallest:
        return f"Not yet: {rate}, but a smaller one reaches {SHARE:.0%} as well."
    return f"Not yet: {rate}, and {SHARE:.0%} are wanted."

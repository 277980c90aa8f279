"""Kafka's partition directory on disk, byte for byte: segments, indexes, checkpoints, recovery and retention."""

"""Kafka's record batches and what its internal logs hold: bytes in, bytes out; no files, sockets, clocks or threads."""

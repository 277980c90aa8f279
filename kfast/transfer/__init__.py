"""Chunks to socket, the object of study: a chunk is bytes or a `FileSlice`; a copy mode moves a slice."""

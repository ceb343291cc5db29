"""One published model a file: configuration, initialisation, forward, backward, checkpoint names."""

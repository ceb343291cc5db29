"""Numba twins of the ops: same names, same signatures, same meaning. Installed as `minibert.kernels`."""

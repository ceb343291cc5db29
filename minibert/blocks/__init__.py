"""Ops wired into the parts of a model: attention with projections, feed-forward, layers, heads.

A block is a pure pair like an op, but it takes its parameters as a tree `p` and returns their
gradients as the same tree.
"""

"""Choosing between fine-tuned models: how good, how large, how fast each one is, and whether a difference is real.

What is measured in one process is measured in turns; what memory a model takes, in a process of its own.
"""

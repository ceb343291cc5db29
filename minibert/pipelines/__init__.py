"""Trained models on plain text: a string in, an answer out."""

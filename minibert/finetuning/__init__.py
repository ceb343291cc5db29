"""Adapting a pre-trained model to a task: which parameters train, what is added to them, how labelled text becomes what
the head of a task learns from, and its scores become answers again.
"""

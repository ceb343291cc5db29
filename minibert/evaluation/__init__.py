"""How good is a model: held-out losses, beside what can be had without looking at the context."""

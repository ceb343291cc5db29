"""Learning-rate schedules: pure functions of the step."""

import math


def linear_warmup_decay(step: int, peak: float, warmup_steps: int, max_steps: int) -> float:
    """Return the learning rate of step 1, 2, ..., max_steps, as for BERT (Devlin et al. 2018, appendix A.2).

    It rises linearly from 0 to `peak`, which it reaches at step `warmup_steps` (at step 1 if that
    is 0), then falls linearly and would be 0 at step max_steps + 1.
    """
    warmup_steps = max(1, warmup_steps)
    if step < warmup_steps:
        return peak * step / warmup_steps
    return peak * (max_steps + 1 - step) / (max_steps + 1 - warmup_steps)


def cosine_warmup_decay(step: int, peak: float, warmup_steps: int, max_steps: int) -> float:
    """Like `linear_warmup_decay`, but it falls along half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983)."""
    warmup_steps = max(1, warmup_steps)
    if step < warmup_steps:
        return peak * step / warmup_steps
    return peak * (1 + math.cos(math.pi * (step - warmup_steps) / (max_steps + 1 - warmup_steps))) / 2


def warmup_constant(step: int, peak: float, warmup_steps: int, max_steps: int) -> float:
    """Like `linear_warmup_decay`, but it stays at `peak`."""
    return peak * min(1.0, step / max(1, warmup_steps))


def constant(step: int, peak: float, warmup_steps: int, max_steps: int) -> float:
    """`peak` at each step, without warm-up."""
    return peak


def inverse_square_root(step: int, peak: float, warmup_steps: int, max_steps: int) -> float:
    """Like `linear_warmup_decay`, but it falls as 1 / sqrt(step) (Vaswani et al. 2017, section 5.3)."""
    warmup_steps = max(1, warmup_steps)
    return peak * min(step / warmup_steps, math.sqrt(warmup_steps / step))


SCHEDULES = {  # by Hugging Face's names
    "linear": linear_warmup_decay,
    "cosine": cosine_warmup_decay,
    "constant": constant,
    "constant_with_warmup": warmup_constant,
    "inverse_sqrt": inverse_square_root,
}

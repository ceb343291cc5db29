"""Learning-rate schedules: pure functions of the step."""


def linear_warmup_decay(step: int, peak: float, warmup_steps: int, max_steps: int) -> float:
    """Return the learning rate of step 1, 2, ..., max_steps, as for BERT (Devlin et al. 2018, appendix A.2).

    It rises linearly from 0 to `peak`, which it reaches at step `warmup_steps` (at step 1 if that
    is 0), then falls linearly and would be 0 at step max_steps + 1.
    """
    warmup_steps = max(1, warmup_steps)
    if step < warmup_steps:
        return peak * step / warmup_steps
    return peak * (max_steps + 1 - step) / (max_steps + 1 - warmup_steps)

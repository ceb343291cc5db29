"""Soft thresholding, the proximal step of an L1 penalty (Parikh & Boyd 2014, "Proximal algorithms", section 6.5.2).

Like `adamw`, after which it comes, it has no backward and writes in place.
"""

from collections.abc import Sequence

import numpy as np

from minibert.dispatch import op


@op
def soft_threshold(thetas: Sequence[np.ndarray], threshold: float) -> None:
    """theta <- sign(theta) max(|theta| - threshold, 0), for each array theta, in place.

    Of all x it minimises threshold |x| + (x - theta)^2 / 2. For x > 0 the derivative threshold + x - theta vanishes at
    x = theta - threshold, for x < 0 at theta + threshold; if |theta| <= threshold there is no such x, and the kink at 0
    is the minimum. So weights become exactly 0, which steps along the gradient of |theta|, +-1, would only cross.
    """
    for theta in thetas:
        t = theta.dtype.type(threshold)
        np.copyto(theta, np.maximum(theta - t, 0) + np.minimum(theta + t, 0))

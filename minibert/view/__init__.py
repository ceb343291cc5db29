"""Pictures and pages of runs and models. Matplotlib is imported only when a picture is drawn."""

from minibert.view.attention import attention_view
from minibert.view.gradient_check import gradient_check_view
from minibert.view.logit_lens import logit_lens_view
from minibert.view.masks import masks_view
from minibert.view.step_through import StepThrough
from minibert.view.training import training_view

__all__ = ["StepThrough", "attention_view", "gradient_check_view", "logit_lens_view", "masks_view", "training_view"]

"""What the notebooks share: pictures with alt text, and exercises whose answers are checked."""

from minibert.lessons.exercises import check_backward, check_value
from minibert.lessons.pictures import curves, heatmaps, show

__all__ = ["check_backward", "check_value", "curves", "heatmaps", "show"]

"""Pictures of runs and models. Matplotlib is imported only when one is drawn."""

"""AdamW, schedules, accumulation, the loop and its log. It knows the interface of a model, no particular one."""

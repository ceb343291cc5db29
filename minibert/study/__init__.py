"""What pre-training is worth: the same reviews, by several models, in several ways, from few labels and from many.

`minibert study` runs it cell by cell. `cells` says what there is, `recipes` how each method trains, `run` trains and
tests one cell, `table` and `picture` show what was found.
"""

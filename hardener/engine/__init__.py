"""Documents × rules → report: which files, which rules, what is ignored, what is known already."""

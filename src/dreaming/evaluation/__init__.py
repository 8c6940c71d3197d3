"""Measures of a finished or running cortex. Each writes tidy rows into the run folder; figures read those."""

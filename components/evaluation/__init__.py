"""What the models are worth: metrics with intervals, a baseline, the comparison of every rung on test rows."""

"""Windows in arrays, as scikit-learn has them: a classifier of them, and its way to a live decoder."""

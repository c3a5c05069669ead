"""Round trips to a host: measured, kept raw, and asked whether the estimator is in them."""

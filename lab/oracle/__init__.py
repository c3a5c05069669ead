"""The oracle: random configurations, applied by the real loaders in guests, against predictions."""

"""Material in, bundle out: the only home of torch, transformers and scikit-learn."""

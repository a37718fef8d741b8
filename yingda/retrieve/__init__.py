"""Which FAQ entry answers a message: dense, linear and lexical views fused into one calibrated probability."""

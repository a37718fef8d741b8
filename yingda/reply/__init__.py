"""The written reply: five parts from versioned templates, plain substitution over known variables."""

"""From evidence to an outcome: answered, clarify, hand-off or no answer."""

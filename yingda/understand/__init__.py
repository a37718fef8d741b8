"""What a message is about and how the customer feels."""

"""Who may call the service: scopes, API keys and the file that holds their hashes."""

"""HTTP around the engine: routes, schemas, keys, limits and metrics; it takes no decision about a message."""

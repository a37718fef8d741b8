"""What the engine talks about: frozen dataclasses and errors, standard library only."""

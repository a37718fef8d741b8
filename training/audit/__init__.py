"""An audit of labelled messages: likely label errors, rival entries, copies, drift, and what to label next."""

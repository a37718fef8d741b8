"""Living knowledge: FAQ entries, keywords, templates, rules and policy values as versioned records."""

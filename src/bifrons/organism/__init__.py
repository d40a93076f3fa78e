"""How the embedded models were made, and their weights."""

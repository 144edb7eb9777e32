"""Documents, and the script that photographs the screens."""

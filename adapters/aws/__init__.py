"""Amazon Web Services: short-lived passwords of databases."""

"""The steps of the schema, oldest first. A step never imports `tables`, which changes after it."""

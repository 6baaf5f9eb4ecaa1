"""Study files: many mitigations on many models, in one table, cell by cell."""

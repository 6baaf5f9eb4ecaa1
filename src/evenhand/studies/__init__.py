"""Studies: what is asked of models as a whole: measure, verify with a verdict, store, compare, gate."""

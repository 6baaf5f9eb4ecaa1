"""What the methods share that take directions out of hidden states: reading, labelling, fitting, shams."""

"""AgeNet and GenderNet trained together: one trunk of Levi and Hassner's network, two heads.

What one face teaches of age and of gender goes into the same convolutions, and both released
networks come out of one training.
"""

"""Training the zoo's networks with Keras 3, whichever backend computes.

The faces are those of the joint training: the same LMDB, the same split, the same augmentation.
"""

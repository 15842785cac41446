"""Training: one interface, and the torch engine behind it.

The engine follows BVLC Caffe 1.0's semantics (solver, layers, fillers, data transformation), so a
prototxt means here what it means there, and snapshots are Caffe's own files.
"""

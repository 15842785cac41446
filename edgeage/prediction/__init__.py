"""From a picture to its faces, step by step, and many pictures' steps side by side."""

"""How a program of this folder is asked and answers; the other side is ``edgeage.movidius.jobs``.

Runs on Python 3.6 and newer, with the standard library and numpy.
"""

import json
import os
import sys

import numpy as np


class JobError(Exception):
    """Something to tell the caller in one line; ``kind`` lets it tell one error from another."""

    def __init__(self, message, kind=""):
        Exception.__init__(self, message)
        self.kind = kind


def serve(function):
    """Answer the request in the folder that is this program's only argument.

    Args:
        function: takes the request (a dictionary) and the arrays by name, and returns the answer
            (a dictionary) and arrays by name.
    """
    folder = sys.argv[1]
    with open(os.path.join(folder, "request.json"), encoding="utf-8") as stream:
        request = json.load(stream)
    arrays = {}
    for name in os.listdir(folder):
        if name.startswith("in_") and name.endswith(".npy"):
            arrays[name[3:-4]] = np.load(os.path.join(folder, name), allow_pickle=False)
    try:
        reply, answers = function(request, arrays)
    except JobError as error:
        reply, answers = {"error": str(error), "kind": error.kind}, {}
    for name, array in answers.items():
        np.save(os.path.join(folder, "out_%s.npy" % name), array, allow_pickle=False)
    # Last, so that an answer that is there is whole.
    partial = os.path.join(folder, "reply.part")
    with open(partial, "w", encoding="utf-8") as stream:
        json.dump(reply, stream)
    os.replace(partial, os.path.join(folder, "reply.json"))

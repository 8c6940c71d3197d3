"""Heard: keeps what is said while something is measured."""

from dreaming.system.progress import NoProgress


class Heard(NoProgress):
    """What was said: lines, the seconds of each stage, and how many images were inferred."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)

    def measured(self, title, seconds, inferred):
        self.seconds, self.inferred = seconds, inferred

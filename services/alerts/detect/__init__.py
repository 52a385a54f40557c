"""Detectors of unusual spend, one scope at a time: pure, online, of a fixed size. README.md has the rules."""

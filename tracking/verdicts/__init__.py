"""A verdict of the gate for those who read it: plain data for pages, and sentences."""

from tracking.verdicts.facts import brief_of, whole_of

__all__ = ["brief_of", "whole_of"]

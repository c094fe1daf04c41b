"""The parts of a pull: ``source`` lists, ``plan`` decides, ``transfers`` brings."""

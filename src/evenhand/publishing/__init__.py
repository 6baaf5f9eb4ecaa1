"""What leaves the house in other people's formats: JUnit XML, GitHub's annotations, model cards, the hub.

Nothing is imported here, so that the pytest plug-in costs a test run nothing until a gate is used.
"""

"""The groups of ``mscm``'s commands; each module's ``declare`` names its own with their arguments.

What a command needs is imported when it is called: help and a mistake wait for nothing.
"""

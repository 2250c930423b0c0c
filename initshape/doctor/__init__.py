"""`initshape doctor`: what is wrong with an installation or a server on this machine, and how to mend it.

Every check is a function that answers findings and never raises; none of them changes anything. They need no server.
"""

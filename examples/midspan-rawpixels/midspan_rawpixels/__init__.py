"""An example plug-in with two halves: the device crops a photo and sends its pixels without loss, the server reads it.

`wire` is what both halves agree on, `server` is the half that a server enables, `device` the half that a client finds.
"""

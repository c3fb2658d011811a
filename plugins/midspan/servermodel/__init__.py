"""What devices are told of this server's time: learned from samples of all workers, off the requests' path.

::

    every answer ─ sample ─▶ host's store ─ fit, in one worker's thread ─▶ host's store ─ published ─▶ every answer
"""

"""The pages of `oms console`, which a browser on this machine shows.

server serves them, guard says who may see and do what, and rendering fills the templates. What the pages show is read
by the functions of scripts/commands and scripts/screens, so that page and command agree.
"""

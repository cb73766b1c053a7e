"""Payment channels behind one port: signing, verifying and reading are pure; only `calls` talks to the outside."""

"""One module per group of `oms` commands, and what they share: problems, output, connecting, masking."""

"""The parts of the READMEs that are made from the code. `python -m scripts.map --write` puts them where they belong."""

"""`python -m rinsho`: the same commands, as torchrun starts them."""

from rinsho.cli import main

main()

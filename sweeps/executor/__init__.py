"""Where jobs run: the contract in ``base``, this machine's processes in ``local``."""

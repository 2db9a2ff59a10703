"""Print how this cynet was built (version, compiler, flags, instruction set, OpenMP) and what it runs on."""


def add_flags(parser):
    """This command has no flags."""


def run(flags):
    from cynet.core.build import show_config

    show_config()

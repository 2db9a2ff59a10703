"""Print how this cynet was built (version, compiler, flags, instruction set, OpenMP) and what it runs on."""

from .registry import command


def add_flags(parser):
    """This command has no flags."""


@command("how this cynet was built, and what it runs on", order=12)
def run(flags):
    from cynet.core.build import show_config

    show_config()

"""How messages write the settings that they speak of: as Python does, or as the command line does."""

from .shell import word


class Wording:
    """As Python does."""

    lr_find = "`cynet train --lr-find`"  # what draws the loss over learning rates

    def __call__(self, name: str) -> str:
        """A setting, by its name in Python."""
        return name

    def with_value(self, name: str, value: object) -> str:
        """With its value: a number, or what stands for one."""
        return f"{self(name)}={value}"

    def with_text(self, name: str, value: str) -> str:
        """With a text as its value."""
        return self.with_value(name, repr(value))

    def switched(self, name: str) -> str:
        """A setting of True or False, as it is switched on."""
        return self.with_value(name, True)


class Flagged(Wording):
    """As the command line does."""

    lr_find = "--lr-find"

    def __call__(self, name: str) -> str:
        return "--" + name.replace("_", "-")

    def with_value(self, name: str, value: object) -> str:
        return f"{self(name)} {value}"

    def with_text(self, name: str, value: str) -> str:
        return self.with_value(name, word(value))

    def switched(self, name: str) -> str:
        return self(name)


FLAGS = Flagged()

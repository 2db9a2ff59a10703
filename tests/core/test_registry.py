"""A registry: what its files say is known before they are imported, and a name is one thing's."""

import sys

import pytest

from cynet.core.registry import Registry

FIRST = """
from shop import thing

@thing("a text, with (brackets)", order=2)
def apple():
    return "apple"


@thing(
    sizes={"x": (1, 2)},
)
@staticmethod
def pear(): ...
"""
SECOND = '''
import shop

@shop.thing(order=1)
class Plum:
    """@thing() in a text is none."""
'''


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A package with two files and its registry of things."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/__init__.py").write_text("")
    (tmp_path / "shop/one.py").write_text(FIRST)
    (tmp_path / "shop/two.py").write_text(SECOND)
    import shop

    shop.thing = Registry("thing", "shop")
    yield shop
    for name in [name for name in sys.modules if name.split(".")[0] == "shop"]:
        del sys.modules[name]


def test_names_and_facts_are_known_before_anything_is_imported(shop):
    thing = shop.thing
    assert thing.names() == ("Plum", "apple", "pear")
    assert thing.facts("apple") == {"text": "a text, with (brackets)", "order": 2}
    assert thing.facts("pear") == {"text": "", "sizes": {"x": (1, 2)}}
    assert thing.those(order=1) == ("Plum",) and thing.those(text="") == ("Plum", "pear")
    assert thing.home("Plum") == ("shop.two", "Plum")
    assert "apple" in thing and "Apple" not in thing and None not in thing and [] not in thing
    assert not {"shop.one", "shop.two"} & set(sys.modules)


def test_what_is_asked_for_is_imported_alone(shop):
    assert shop.thing["apple"]() == "apple"
    assert "shop.one" in sys.modules and "shop.two" not in sys.modules
    assert shop.thing["Plum"].__module__ == "shop.two"
    with pytest.raises(KeyError):
        shop.thing["fig"]


def test_an_unknown_name_is_refused_with_the_nearest(shop):
    assert shop.thing.checked("pear") == "pear"
    with pytest.raises(ValueError, match=r"^name: wanted one of Plum, apple, pear, got 'aple' .*mean apple"):
        shop.thing.checked("aple")
    with pytest.raises(ValueError, match=r"^fruit: wanted one of .*, got 3$"):
        shop.thing.checked(3, "fruit")


def test_a_second_of_one_name_is_refused_in_the_files(shop, tmp_path):
    (tmp_path / "shop/three.py").write_text("@thing()\ndef apple(): ...\n")
    with pytest.raises(ValueError, match=r"thing apple: registered twice, in shop\.one and shop\.three"):
        shop.thing.names()


def test_a_second_of_one_name_is_refused_as_it_is_imported(shop):
    apple = shop.thing["apple"]

    def other(): ...

    other.__module__, other.__name__, other.__qualname__ = "shop.other", "apple", "apple"
    with pytest.raises(ValueError, match=r"thing apple: registered twice, in shop\.one and shop\.other"):
        shop.thing()(other)
    again = type(apple)(apple.__code__, apple.__globals__)  # as a file that is loaded anew defines it
    again.__module__, again.__qualname__ = apple.__module__, apple.__qualname__
    assert shop.thing()(again) is again and shop.thing["apple"] is again


def test_what_comes_from_elsewhere_is_added_last_and_taken_away(shop):
    @shop.thing("mine", order=0)
    def fig(): ...

    shop.thing.add("nut", "a nut", hard=True)
    assert shop.thing.names() == ("Plum", "apple", "pear", "fig", "nut")
    assert shop.thing["fig"] is fig and shop.thing["nut"] == "a nut"
    assert shop.thing.facts("fig")["text"] == "mine" and shop.thing.those(hard=True) == ("nut",)
    assert shop.thing.home("fig") is None
    for name in ("apple", "nut"):
        with pytest.raises(ValueError, match=f"name: wanted one that is not taken, got '{name}'"):
            shop.thing.add(name, "another")
    shop.thing.remove("nut")
    assert "nut" not in shop.thing
    shop.thing.add("nut", "another")


def test_names_may_be_made_of_files(shop):
    assert Registry("thing", "shop", called=lambda file, defined: f"{file}-{defined}").names() == (
        "two-Plum", "one-apple", "one-pear",
    )  # fmt: skip

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
    assert (
        thing.those(order=1, text="") == ("Plum",) and thing.those(order=2, text="") == thing.those(x=1) == ()
    )
    assert thing.those() == thing.names()
    assert thing.home("Plum") == ("shop.two", "Plum")
    assert "apple" in thing and "Apple" not in thing and None not in thing and [] not in thing
    assert not {"shop.one", "shop.two"} & set(sys.modules)


def test_those_of_no_order_come_last_as_they_stand_in_the_files(shop, tmp_path):
    kinds = ("@thing()\ndef zest(): ...", "@thing(order=3)\ndef fig(): ...", "@thing()\ndef Ash(): ...")
    text = "\n".join(["from shop import thing", *kinds, ""])
    (tmp_path / "shop/three.py").write_text(text)
    assert Registry("thing", "shop").names() == ("Plum", "apple", "fig", "pear", "zest", "Ash")


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
    other.__module__, other.__qualname__ = "shop.one", "make.<locals>.apple"  # not what the file defines
    with pytest.raises(ValueError, match=r"thing apple: registered twice, in shop\.one and shop\.one"):
        shop.thing()(other)


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
    with pytest.raises(KeyError):
        shop.thing["nut"]
    with pytest.raises(KeyError):
        shop.thing.facts("nut")
    shop.thing.add("nut", "another")


def test_names_may_be_made_of_files(shop):
    assert Registry("thing", "shop", called=lambda file, defined: f"{file}-{defined}").names() == (
        "two-Plum", "one-apple", "one-pear",
    )  # fmt: skip


# -- what is refused in the package's files -----------------------------------------------------------------
@pytest.mark.parametrize(("source", "words"), [
    ("N = 1\n@thing(order=N)\ndef fig(): ...\n", "of fig: wanted literals in brackets: got N"),
    ("@thing(**{})\ndef fig(): ...\n", "of fig: wanted literals in brackets: a text, if any, and facts"),
    ("@thing('a', 'b')\ndef fig(): ...\n", "of fig: wanted literals in brackets: a text, if any, and facts"),
    ("@thing(text='a')\ndef fig(): ...\n", "of fig: wanted literals in brackets: a text, if any, and facts"),
    ("@thing(3)\ndef fig(): ...\n", "of fig: wanted literals in brackets: a text, if any, and facts"),
    ("if True:\n\t@thing()\n\tclass Fig: ...\n", "where a line begins, got it further in, of Fig"),
    (f"@thing(order={'N' * 200})\ndef fig(): ...\n", "of fig: wanted literals in brackets: got N{80}$"),
    ("@thing(order=1.5)\ndef fig(): ...\n", "of fig: .*: order: wanted an int, got 1.5"),
    ("@thing(order='x')\ndef fig(): ...\n", "of fig: .*: order: wanted an int, got 'x'"),
    ("@thing(\nclass Fig: ...\n", "of Fig: wanted literals in brackets: "),
    ("@thing\ndef fig(): ...\n", "of fig: wanted literals in brackets: there are none"),
    ("@shop.thing\n@other()\ndef fig(): ...\n", "of fig: wanted literals in brackets: there are none"),
    ("from shop import thing as _thing\n@_thing()\ndef fig(): ...\n", "@thing, by its own name, got @_thing"),
    ("from shop import (\n  a,\n  thing as t,\n)\n@t()\ndef fig(): ...\n", "@thing, by its own name, got @t"),
    ("if True:\n    @thing()\n    def fig(): ...\n", "where a line begins, got it further in, of fig"),
    ("@thing()\ndef fäg(): ...\n", "thing: wanted letters from a to z, digits, .*, got 'fäg'"),
])  # fmt: skip
def test_what_would_not_be_found_is_refused_with_its_file(shop, tmp_path, source, words):
    (tmp_path / "shop/three.py").write_text(source)
    with pytest.raises(ValueError, match=rf"^{tmp_path}/shop/three\.py: .*{words}"):
        shop.thing.names()


@pytest.mark.parametrize("first", [True, False])
def test_what_is_registered_where_nobody_reads_is_refused_as_it_is_imported(shop, tmp_path, first):
    if first:
        shop.thing.names()
    (tmp_path / "shop/deep").mkdir()
    source = "import shop\nmine = shop.thing\n@mine()\ndef fig(): ...\n"
    (tmp_path / "shop/deep/__init__.py").write_text(source)
    with pytest.raises(ValueError, match=r"thing fig: wanted @thing\(.* one in shop\.deep that nobody finds"):
        import shop.deep

        shop.thing.names()


def test_a_file_that_is_loaded_anew_may_have_one_more(shop, tmp_path):
    assert shop.thing["Plum"] and "fig" not in shop.thing
    (tmp_path / "shop/two.py").write_text(SECOND + "\n\n@shop.thing()\ndef fig(): ...\n")
    import importlib

    importlib.invalidate_caches()
    del sys.modules["shop.two"]
    import shop.two

    assert shop.thing["fig"] is shop.two.fig


def test_a_deep_name_of_the_decorator_is_found(shop, tmp_path):
    (tmp_path / "shop/three.py").write_text("import shop.one\n@shop.one.thing()\ndef fig(): ...\n")
    assert "fig" in shop.thing


# -- what comes from elsewhere ------------------------------------------------------------------------------
def defined(name="fig", module="notebook"):
    def fig(): ...

    fig.__module__, fig.__name__, fig.__qualname__ = module, name, name
    return fig


def test_a_cell_that_is_run_again_takes_the_place_of_its_own(shop):
    for text in ("one", "two"):
        last = shop.thing(text)(defined())
        assert shop.thing["fig"] is last and shop.thing.facts("fig")["text"] == text
    shop.thing.add("mine", defined(), hard=True)
    shop.thing.add("mine", last)
    assert shop.thing["mine"] is last and shop.thing.facts("mine") == {"text": ""}
    assert shop.thing.names()[-2:] == ("fig", "mine")


@pytest.mark.parametrize("other", [defined(module="other"), defined("apple"), "a text", 3])
def test_another_of_a_name_is_refused(shop, other):
    shop.thing.add("fig", defined())
    for name in ("fig", "apple"):
        with pytest.raises(ValueError, match=f"name: wanted one that is not taken, got '{name}'"):
            shop.thing.add(name, other)
    assert shop.thing["fig"].__module__ == "notebook"


NO_NAMES = ["", "<lambda>", "a/../b", "../b", ".a", "-a", "a b", "a\n", "é", "a\0", None, 3, "a\\b"]


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_name_that_no_flag_or_folder_can_have_is_refused(shop, name):
    with pytest.raises(ValueError, match=r"^name: wanted letters from a to z, digits, _, \. and -, .*, got "):
        shop.thing.add(name, defined())
    assert shop.thing.names() == ("Plum", "apple", "pear")


@pytest.mark.parametrize("name", ["a", "A9", "resnet-20_v1.5", "_a", "9"])
def test_other_names_are_taken(shop, name):
    shop.thing.add(name, "it")
    assert shop.thing[name] == "it"


def test_what_is_no_definition_is_refused(shop):
    with pytest.raises(TypeError, match=r"^@thing: wanted it with brackets, @thing\(\), got it without"):
        shop.thing(defined())
    with pytest.raises(TypeError, match=r"^@thing: wanted a class or function, got int"):
        shop.thing()(3)
    with pytest.raises(ValueError, match="got '<lambda>'"):
        shop.thing()(lambda: 3)


def test_a_registry_may_be_closed_to_others(shop):
    closed = Registry("thing", "shop", closed=True)
    with pytest.raises(ValueError, match=r"^thing: wanted one that a file of shop defines, got one of not"):
        closed()(defined())
    with pytest.raises(ValueError, match=r"^thing: wanted one that a file of shop defines"):
        closed.add("fig", defined())


def test_where_the_things_of_some_folders_are_defined_is_told_by_their_package(shop, tmp_path):
    (tmp_path / "shop/deep").mkdir()
    (tmp_path / "shop/deep/__init__.py").write_text("@thing()\ndef none(): ...\n")
    (tmp_path / "shop/deep/b.py").write_text("@thing()\ndef fig(): ...\n")
    (tmp_path / "shop/deep/a.py").write_text("@thing()\ndef nut(): ...\n@thing()\ndef ash(): ...\n")
    (tmp_path / "shop/deep/c.txt").write_text("@thing()\ndef text(): ...\n")
    deep = Registry("thing", "shop", "deep", closed=True)
    assert deep.names() == ("nut", "ash", "fig") and deep.home("fig") == ("shop.deep.b", "fig")
    with pytest.raises(
        ValueError, match=r"^thing: wanted one that a file in shop defines, got one of notebook$"
    ):
        deep()(defined())

    def lost(): ...

    lost.__module__ = "shop.one"
    with pytest.raises(
        ValueError, match=r"thing lost: wanted @thing.* begins, in shop's deep, got one in shop\.one"
    ):
        deep()(lost)


def test_what_is_kept_of_a_thing_from_elsewhere_is_what_is_made_of_it(shop):
    kept = Registry("thing", "shop", taken=lambda name, thing: (name, thing))
    kept.add("fig", 3)
    assert kept["fig"] == ("fig", 3) and kept.facts("fig") == {"text": ""}
    with pytest.raises(KeyError):
        kept.remove("apple")
    assert kept.names() == ("Plum", "apple", "pear", "fig")

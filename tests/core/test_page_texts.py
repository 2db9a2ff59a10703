"""Templates and the documents in pages: each text at its place, and none that a browser takes for more."""

import json
import re

import pytest

from cynet.core.pages.filling import embedded, filled, script, shown, style


def test_each_text_stands_where_it_is_named_and_braces_in_it_mean_nothing():
    assert filled("<{{a}}|{{b}}|{{a}}>", {"a": "{{b}}", "b": "}}x{{", "more": ""}) == "<{{b}}|}}x{{|{{b}}>"
    assert filled("none", {}) == "none"
    with pytest.raises(KeyError, match="lost"):
        filled("{{lost}}", {"a": ""})


def test_a_document_ends_no_element_and_is_read_back():
    document = {"</script><!--": ["&amp; <b>", 1.5, None, True, ("a", 2)], "é猫😀": {"x": []}}
    text = embedded(document)
    assert text.isascii() and not re.search("[<>&]", text)
    assert json.loads(text) == json.loads(json.dumps(document))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_javascript_cannot_read_are_refused(number):
    with pytest.raises(ValueError, match="Out of range float"):
        embedded({"a": [number]})


def test_what_is_no_utf_8_is_spelled_wherever_it_stands():
    name, said = "caf\udce9", "caf\\xe9"
    assert shown({name: [name, (name, {name: name})], "n": 1}) == {said: [said, [said, {said: said}]], "n": 1}
    assert json.loads(embedded([name])) == [said]


def test_what_pages_share_comes_first_and_then_each_of_their_own():
    base, elements = style("cynet.core.pages"), script("cynet.core.pages")
    assert base.startswith(":root {") and elements.startswith("// Elements, numbers")
    assert style("cynet.core.pages", "base.css", "elements.js") == "\n".join([base, base, elements])
    assert script("cynet.core.pages", "base.css") == "\n".join([elements, base])

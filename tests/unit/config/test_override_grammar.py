"""What stands right of `key=` for an untyped field: as in Hydra, but for what is named."""

import re
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from naga.config.merge import override_text
from naga.config.override_grammar import NotInGrammarError, Typed, parse, unquoted
from naga.config.typed_text import read_text
from naga.errors import ConfigError

# One right-hand side per line.
LINES = r"""
1
-1
+1
0
-0
00
007
010
1_000
1__0
_1
1_
0x10
0b1
12e
1e3
1E3
1e-3
-1e+3
1.
.5
1.5
-.5
1.10
1_0.5_0
1.e2
.e2
1.2.3
00.5
inf
-inf
+Inf
nan
NaN
infinity
1e400
1k
1%
50%
3/4
3d
1-2
1+2
true
True
TRUE
tRuE
false
False
trueish
yes
no
on
off
y
n
NO
Yes
null
Null
NULL
nULL
None
none
nil
a
abc
a b
a  b
a-b
a_b
a.b
a/b
a/b.csv
./a
../a
/tmp/a b
a:b
a:1
a: b
12:30
12:30:45
2024-01-01
2024-01-01T12:00:00
2024-01-01 12:00
http://host/path
http://host:80/path
s3://bucket/key
C:\x
C:\x\y
C:/x
a\b
a\n
\d+
a\\b
a\ b
a\,b
a\:b
a\=b
a\[b\]
a\{b\}
a\(b\)
\(
\\
---
--
-
-a
--a
- a
+
+a
*
*.csv
**/*.csv
?
a?b
@x
a@b
%
$
$a
|
a|b
a*b
[]
[ ]
[1]
[1,2]
[1, 2]
[ 1 , 2 ]
[a,b]
[a b, c]
[a,1,1.5,true,null]
[[1,2],[3]]
[[],[[]]]
[yes,no]
[1e3,1e-3]
[007]
[12:30]
[a:b]
['a',"b"]
['a,b','c]']
[a/b, c.d]
[-1,+1]
[None]
[{a:1}]
[{a:1},{b:2}]
[,]
[1,]
[,1]
[1
[1,2
[1]]
[1] [2]
[1]a
{}
{ }
{a:1}
{a: 1}
{ a : 1 }
{a:1,b:2}
{a:0.5,b:2}
{a: 0.5, b: 2}
{a:x}
{a:x y}
{a:'x,y'}
{a:[1,2]}
{a:{b:1}}
{a:{b:{c:[1,{d:2}]}}}
{a:true,b:null}
{1:a}
{1.5:a}
{true:a}
{null:a}
{a b:1}
{a.b:1}
{a-b:1}
{a/b:1}
{a:b:c}
{a:12:30}
{a:http://x}
{a}
{a:}
{:1}
{a:1
{a:1,}
{a 1}
{a:1}}
'a'
"a"
'a b'
' a '
''
""
'1'
'true'
'null'
'a,b'
'[1,2]'
'it\'s'
"it's"
'say "a"'
"say \"a\""
'a\\'
'a\\\'b'
'a\nb'
'a\\b'
'a=b'
'#'
 a
 1
 [1]
${a}
${a.b}
${a}/b
a${b}c
${f:1,2}
[${a},b]
[${f:1,2},b]
{a:${b}}
"${a}"
""".strip("\n").split("\n")

# What Hydra refuses, or takes for a sweep or a function, and here is the text that was typed.
TEXT_HERE = r"""
1]
${f:${a}}
~
#00ff00
#
a=b
x==y
&x
!x
a&b
a;b
;
<x>
a,b
1,2
a,
,
range(5)
choice(a,b)
f(1)
a(b
a)
(a)
`x`
^a
ü
naïve café
日本
😀
a}b
a]b
a{b
a[0]
'a' 'b'
'a'b
'a
"a
a'b
it's
a"b"
~/a
""".strip("\n").split("\n")


def plain(value: Any) -> Any:
    """What a field without a type gets."""
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.value if isinstance(value, Typed) else value


def read(text: str) -> str:
    """What a line comes to, or that it is refused."""
    try:
        return repr(plain(parse(text)))
    except NotInGrammarError:
        return "refused"


@pytest.mark.compat
def test_a_value_is_what_hydra_makes_of_it() -> None:
    """More than two hundred lines, by Hydra's own parser."""
    reason = "Hydra 1.3 needs OmegaConf below 2.4; `make test` runs this with both"
    hydra_parser = pytest.importorskip("hydra.core.override_parser.overrides_parser", reason=reason).OverridesParser
    refused = pytest.importorskip("hydra.errors").HydraException

    def hydra(text: str) -> str:
        try:
            override = hydra_parser.create().parse_override(f"key={text}")
        except refused:
            return "refused"
        return "sweep" if override.is_sweep_override() else repr(override.value())

    assert len(LINES) > 200
    lines = [*LINES, "a ", "1 "]
    assert {line: read(line) for line in lines} == {line: hydra(line) for line in lines}
    assert {hydra(line) for line in TEXT_HERE} == {"refused", "sweep"}
    assert [hydra(line) for line in ("{a:${f:{x:1}}}", "{a:1,a:2}")] == ["refused", "{'a': 2}"]


@pytest.mark.parametrize("text", TEXT_HERE)
def test_what_hydra_refuses_is_text_where_nothing_else_can_be_meant(text: str) -> None:
    """A colour, an unknown sign, a comma, an unpaired quote."""
    assert read_text(text, Any, "key") == text


def test_what_is_typed_twice_is_refused() -> None:
    """Hydra takes the last, and drops the first without a word."""
    with pytest.raises(NotInGrammarError, match="'a' is there twice"):
        parse("{a:1,a:2}")


def test_an_interpolation_is_one_word() -> None:
    """With all that stands in its braces."""
    assert parse("{a:${f:{x:[1,2]}},b:${c}}") == {"a": "${f:{x:[1,2]}}", "b": "${c}"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'a b'", "a b"),
        ('"it\'s"', "it's"),
        (r"'it\'s'", "it's"),
        ("'a' 'b'", "'a' 'b'"),
        ("'a", "'a"),
        ("a", "a"),
        ("'", "'"),
    ],
)
def test_quotes_around_a_whole_text_are_taken_off(text: str, value: str) -> None:
    """And no others."""
    assert unquoted(text) == value


def test_the_table_in_the_documentation_is_true() -> None:
    """Each row, for an untyped field without and with a default of text."""
    page = Path(__file__).parents[3] / "docs" / "decorators.md"
    rows = re.findall(
        r"^\| `(.+)` \| (.+) \| (.+) \|$", page.read_text(encoding="utf-8").partition("| typed |")[2], re.MULTILINE
    )
    assert len(rows) > 15
    for text, untyped, of_text in rows:
        for default, expected in ((None, untyped), ("DE", of_text)):
            cfg = OmegaConf.create({"key": default})
            try:
                override_text(cfg, f"key={text}")
                assert repr(OmegaConf.to_container(cfg)) == f"{{'key': {expected}}}"
            except ConfigError:
                assert expected == "refused"


def test_where_a_value_is_missing() -> None:
    """What stands there instead, or that it does not end."""
    with pytest.raises(NotInGrammarError, match=r"a value is missing before ',1\]'"):
        parse("[,1]")
    with pytest.raises(NotInGrammarError, match="it does not end"):
        parse("[1,")
    for text in ("{a}", "{a,b:1}"):
        with pytest.raises(NotInGrammarError, match="':' is missing after 'a'"):
            parse(text)

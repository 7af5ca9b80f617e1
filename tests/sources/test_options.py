"""The arguments of a command: flags, values, operands, sub-commands, as each tool reads them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardener.sources import shell
from hardener.sources.options import Options, options, program
from hardener.sources.tools import PROGRAMS, SUBCOMMAND_VALUES, SUBCOMMANDS, TOOLS
from hardener.text import SourceFile, Span, View


def command(text: str, dialect: str = "sh") -> shell.Command:
    return shell.parse(View.of(SourceFile("script", text), Span(0, len(text))), dialect=dialect).commands[0]


def read(text: str, dialect: str = "sh") -> Options:
    return options(command(text, dialect))


def flags(found: Options) -> list[str]:
    return [flag.name if flag.value is None else f"{flag.name}={flag.value}" for flag in found.flags]


@pytest.mark.parametrize(
    ("text", "expected", "operands"),
    [
        ("curl -k https://x", ["-k"], ["https://x"]),
        ("curl -fsSLk https://x", ["-f", "-s", "-S", "-L", "-k"], ["https://x"]),
        ("curl -fsSLo/dev/null u", ["-f", "-s", "-S", "-L", "-o=/dev/null"], ["u"]),
        ("curl -o sudo u", ["-o=sudo"], ["u"]),
        ("curl u -O -H 'A: b' --output x", ["-O", "-H=A: b", "--output=x"], ["u"]),
        ("curl --proto '=https' --tlsv1.2 u", ["--proto==https", "--tlsv1.2"], ["u"]),
        ("curl -o", ["-o"], []),
        ("curl -- -k u", [], ["-k", "u"]),
        ("curl - u", [], ["-", "u"]),
        ('curl "-k" u', ["-k"], ["u"]),
        ("curl -$FLAGS u", [], ["u"]),
        ("rm -rf /a b", ["-r", "-f"], ["/a", "b"]),
        ("unknown -ab --c=d e", ["-a", "-b", "--c=d"], ["e"]),
        ("wget -qO- -nv -nc u", ["-q", "-O=-", "-nv", "-nc"], ["u"]),
        ("wget --no-check-certificate -P /tmp u", ["--no-check-certificate", "-P=/tmp"], ["u"]),
        ("tar xzf a.tgz -C /b", ["-x", "-z", "-f=a.tgz", "-C=/b"], []),
        ("tar xzfC a.tgz /b c", ["-x", "-z", "-f=a.tgz", "-C=/b"], ["c"]),
        ("tar -xzf a.tgz --strip-components 1 b", ["-x", "-z", "-f=a.tgz", "--strip-components=1"], ["b"]),
        ("tar --extract --file=a", ["--extract", "--file=a"], []),
        ("chmod -R 777 /a", ["-R"], ["777", "/a"]),
        ("chmod -x a", [], ["-x", "a"]),
        ("chmod --reference=a b", ["--reference=a"], ["b"]),
        ("chown -R a:b /c", ["-R"], ["a:b", "/c"]),
        ("echo -n -e -x 'y' -e", ["-n", "-e"], ["-x", "y", "-e"]),
        ("printf -v x", [], ["-v", "x"]),
        ("ssh -o StrictHostKeyChecking=no h ls -l", ["-o=StrictHostKeyChecking=no"], ["h", "ls", "-l"]),
        ("usermod -aG docker u", ["-a", "-G=docker"], ["u"]),
        ("useradd -r -u 100 --home-dir=/h u", ["-r", "-u=100", "--home-dir=/h"], ["u"]),
        ("adduser -D -u 100 u", ["-D", "-u=100"], ["u"]),
        ("ln -sf /bin/bash /bin/sh", ["-s", "-f"], ["/bin/bash", "/bin/sh"]),
        ("cd -", [], ["-"]),
        ("unzip -q a.zip -d /b", ["-q", "-d=/b"], ["a.zip"]),
        ("openssl req -x509 -newkey rsa:2048 -passout pass:x", ["-x509", "-newkey=rsa:2048", "-passout=pass:x"], []),
        ("gpg --batch --keyserver h --recv-keys K", ["--batch", "--keyserver=h", "--recv-keys"], ["K"]),
        ("bash -c 'a b' c -d", ["-c=a b"], ["c", "-d"]),
    ],
)
def test_flags_and_operands(text: str, expected: list[str], operands: list[str]) -> None:
    found = read(text)
    assert (flags(found), [word.text for word in found.operands]) == (expected, operands)


@pytest.mark.parametrize(
    ("text", "subcommand", "expected", "operands"),
    [
        ("apt-get update", "update", [], []),
        ("apt-get -y install -t x --no-install-recommends a=1 b", "install", ["-y", "-t=x", "--no-install-recommends"], ["a=1", "b"]),
        ("apt-get install -qq -q=2 -o Dpkg::X=1 -o=A::B=2 a", "install", ["-q", "-q", "-q=2", "-o=Dpkg::X=1", "-o=A::B=2"], ["a"]),
        ("apt-get", "", [], []),
        ("apt-get $X a", "$X", [], ["a"]),
        ("apk --no-cache add -t .b a~1", "add", ["--no-cache", "-t=.b"], ["a~1"]),
        ("apk add --virtual .b -X https://x a", "add", ["--virtual=.b", "-X=https://x"], ["a"]),
        ("dnf --setopt=a=b -y in x", "install", ["--setopt=a=b", "-y"], ["x"]),
        ("dnf module enable nodejs:20", "module enable", [], ["nodejs:20"]),
        ("microdnf install --nodocs x", "install", ["--nodocs"], ["x"]),
        ("yum update", "update", [], []),
        ("zypper -n in -y x", "install", ["-n", "-y"], ["x"]),
        ("zypper dup", "dist-upgrade", [], []),
        ("pip install -r a.txt -i https://x 'b==1'", "install", ["-r=a.txt", "-i=https://x"], ["b==1"]),
        ("pip config set global.trusted-host x", "config set", [], ["global.trusted-host", "x"]),
        ("pip --trusted-host x install y", "install", ["--trusted-host=x"], ["y"]),
        ("uv pip install --system x", "pip install", ["--system"], ["x"]),
        ("uv run --with a b -c", "run", ["--with=a"], ["b", "-c"]),
        ("poetry install --without dev", "install", ["--without=dev"], []),
        ("npm i -g a@1 --registry x", "install", ["-g", "--registry=x"], ["a@1"]),
        ("npm clean-install --omit=dev", "ci", ["--omit=dev"], []),
        ("npm install --strict-ssl false a", "install", ["--strict-ssl=false"], ["a"]),
        ("npm config set strict-ssl false", "config set", [], ["strict-ssl", "false"]),
        ("npm set strict-ssl false", "config set", [], ["strict-ssl", "false"]),
        ("yarn --frozen-lockfile", "install", ["--frozen-lockfile"], []),
        ("yarn global add a", "global add", [], ["a"]),
        ("pnpm i --prod", "install", ["--prod"], []),
        ("gem install -N a -v 1.2", "install", ["-N", "-v=1.2"], ["a"]),
        ("go install -ldflags '-s -w' a@latest", "install", ["-ldflags=-s -w"], ["a@latest"]),
        ("go mod download", "mod download", [], []),
        ("cargo +nightly install --locked --git u a", "install", ["--locked", "--git=u"], ["a"]),
        ("git -C d clone -c a=b --depth 1 -b main u d", "clone", ["-C=d", "-c=a=b", "--depth=1", "-b=main"], ["u", "d"]),
        ("git config --global http.sslVerify false", "config", ["--global"], ["http.sslVerify", "false"]),
        ("git submodule update --init --depth 1", "submodule update", ["--init", "--depth=1"], []),
        ("docker run -e=A=b -p 1:2 --rm i ls -l", "run", ["-e=A=b", "-p=1:2", "--rm"], ["i", "ls", "-l"]),
        ("podman build -t a -f b .", "build", ["-t=a", "-f=b"], ["."]),
        ("docker buildx build -t a .", "buildx build", ["-t=a"], ["."]),
        ("aws configure set a b", "configure set", [], ["a", "b"]),
        ("gcloud auth activate-service-account --key-file k", "auth activate-service-account", ["--key-file=k"], []),
        ("az login -u a -p b", "login", ["-u=a", "-p=b"], []),
        ("apt-key adv --keyserver h --recv-keys K", "adv", ["--keyserver=h", "--recv-keys"], ["K"]),
    ],
)
def test_subcommands(text: str, subcommand: str, expected: list[str], operands: list[str]) -> None:
    found = read(text)
    assert (found.subcommand, flags(found), [word.text for word in found.operands]) == (subcommand, expected, operands)


def test_the_words_of_a_subcommand() -> None:
    assert [word.text for word in read("npm -g c set a b").subcommand_words] == ["c", "set"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("pip3 install a", "pip"),
        ("/opt/venv/bin/pip3.12 install a", "pip"),
        ("python3 -m pip install a", "pip"),
        ("sudo python -I -m pip install a", "pip"),
        ("python3.11 -m poetry install", "poetry"),
        ("python3 -m http.server", "python"),
        ("python3 -c 'x' -m pip", "python"),
        ("python3 x.py -m pip", "python"),
        ("python3 -m", "python"),
        ("yarnpkg", "yarn"),
        ("gpg2 --import k", "gpg"),
        ("gem3.1 install a", "gem"),
        ("dash -c a", "sh"),
        ("dnf5 install a", "dnf"),
        ("env A=1 apt-get update", "apt-get"),
        ("x", "x"),
        ("A=1", ""),
    ],
)
def test_program(text: str, name: str) -> None:
    assert (program(command(text)), read(text).program) == (name, name)


def test_what_python_runs_as_a_module_has_its_own_arguments() -> None:
    found = read("python3 -m pip install --no-cache-dir a")
    assert (found.subcommand, flags(found), [word.text for word in found.operands]) == ("install", ["--no-cache-dir"], ["a"])


@pytest.mark.parametrize(
    ("text", "expected", "operands"),
    [
        ("iwr -UseBasicParsing -Uri https://x -OutFile y", ["-usebasicparsing", "-uri=https://x", "-outfile=y"], []),
        ("Invoke-RestMethod https://x -SkipCertificateCheck:$true", ["-skipcertificatecheck=$true"], ["https://x"]),
        ("Expand-Archive a.zip -DestinationPath b -Force", ["-destinationpath=b", "-force"], ["a.zip"]),
        ("Set-ExecutionPolicy Bypass -Scope Process", ["-scope=Process"], ["Bypass"]),
    ],
)
def test_powershell_flags(text: str, expected: list[str], operands: list[str]) -> None:
    found = read(text, "powershell")
    assert (flags(found), [word.text for word in found.operands]) == (expected, operands)


@pytest.mark.parametrize(
    ("text", "name", "span", "exact"),
    [
        ("curl -k u", "-k", "-k", "-k"),
        ("curl --insecure u", "--insecure", "--insecure", "--insecure"),
        ("curl -fsSLk u", "-k", "-fsSLk", "k"),
        ("curl -o 'a b' u", "-o", "-o 'a b'", "-o"),
        ("curl -oa u", "-o", "-oa", "-o"),
        ("curl -sSoa u", "-o", "-sSoa", "o"),
        ("pip --trusted-host=x install", "--trusted-host", "--trusted-host=x", "--trusted-host"),
        ('curl -"k" u', "-k", '-"k"', '-"k'),
        ("tar xzf a", "-z", "xzf", "z"),
        ("tar xzf a", "-f", "xzf a", "f"),
        ("wget -qnv u", "-nv", "-qnv", "nv"),
        ("wget -nv u", "-nv", "-nv", "-nv"),
        ("sh -c 'curl \\\n -sk u'", "-c", "-c 'curl \\\n -sk u'", "-c"),
    ],
)
def test_places(text: str, name: str, span: str, exact: str) -> None:
    flag = read(text).flag(name)
    assert flag is not None
    assert (text[slice(*flag.span)], text[slice(*flag.exact)]) == (span, exact)


def test_places_go_through_a_nested_script() -> None:
    text = 'sh -c "curl -sk \\"$u\\" --data=\\"a b\\""'
    nested = shell.parse(View.of(SourceFile("x", text), Span(0, len(text)))).commands[1]
    found = options(nested)
    insecure, data = found.flag("-k"), found.flag("--data")
    assert insecure is not None
    assert data is not None
    assert data.value_word is not None
    assert (text[slice(*insecure.exact)], text[slice(*data.value_word.span)], data.value) == ("k", '"a b\\"', "a b")


def test_asking_for_flags() -> None:
    found = read("curl -H a --header b -k -k u")
    assert found.has("-k", "--insecure")
    assert not found.has("--fail", "-f")
    assert found.count("-k", "--insecure") == 2
    assert found.value("-H", "--header") == "b"
    assert found.values("-H", "--header") == ("a", "b")
    assert (found.value("-k"), found.value("-x"), found.flag("-x"), found.values("-x")) == (None, None, None, ())


def test_options_are_read_once() -> None:
    one = command("curl -k u")
    assert options(one) is options(one)
    assert repr(options(one).flags) == "(Flag('-k', None),)"


# --- the tables ---------------------------------------------------------------------------------------------------------------


def test_tables_name_known_tools() -> None:
    assert set(PROGRAMS.values()) - {"node"} <= set(TOOLS)
    assert set(SUBCOMMANDS) <= set(TOOLS)
    assert {key.partition(" ")[0] for key in SUBCOMMAND_VALUES} <= set(TOOLS)
    assert not set(PROGRAMS) & set(TOOLS)


@pytest.mark.parametrize("name", TOOLS)
def test_every_value_option_of_a_table_is_an_option(name: str) -> None:
    tool = TOOLS[name]
    assert all(option.startswith("-") for option in tool.values.split())
    assert not any(group.startswith("-") for group in tool.groups.split())
    assert tool.style in {"", "single", "wget", "tar", "chmod", "echo", "plain"}
    assert tool.style == "single" or all(len(option) == 2 or option.startswith("--") for option in tool.values.split())


# --- laws ---------------------------------------------------------------------------------------------------------------------


WORDS = (
    "-",
    "--",
    "-a",
    "-abc",
    "-o",
    "-n",
    "-nv",
    "--x",
    "--x=y",
    "--output",
    "-o=",
    "-=",
    "a",
    "xzf",
    "false",
    "'b c'",
    '"$d"',
    "-$e",
    "$(f)",
    "+g",
    "install",
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([*TOOLS, *PROGRAMS, "unknown", "python3 -m pip"]), st.lists(st.sampled_from(WORDS), max_size=8), st.booleans())
def test_every_word_is_used_once_or_is_part_of_a_flag(name: str, words: list[str], in_powershell: bool) -> None:
    text = " ".join([name, *words])
    read_command = command(text, "powershell" if in_powershell else "sh")
    found = options(read_command)
    used = [*found.operands, *found.subcommand_words]
    assert len({id(word) for word in used}) == len(used)
    args = read_command.args
    assert {word.start for word in used} <= {word.start for word in args}
    for flag in found.flags:
        assert flag.word in args
        assert flag.word not in used
        assert flag.value_word not in used
        assert 0 <= flag.span.start < flag.span.end <= len(text)
        assert flag.span.start <= flag.exact.start < flag.exact.end <= flag.span.end

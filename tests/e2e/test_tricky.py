"""Constructs on which Dockerfile linters stumble: heredocs, variables, stages, encodings, shells, prefixes.

Each row is a whole Dockerfile, what must be reported (rule, line, the text under the span) and the rules that must stay silent.
Everything goes through the command line, with all rules switched on.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cli_runner import Harden

OPTIONS = ("--format", "json", "--isolated", "--no-shellcheck", "--profile", "all", "--jobs", "1")


class Case(NamedTuple):
    """A Dockerfile, the facts to report, and the rules that have nothing to say."""

    name: str
    text: str
    found: tuple[tuple[str, int, str], ...] = ()
    silent: tuple[str, ...] = ()


CASES = (
    Case(
        "heredoc with an instruction right behind its end",
        "FROM debian:12\nRUN <<EOF\napt-get update\nsudo ls /root\nEOF\nUSER root\n",
        (("HD421", 3, "apt-get update"), ("HD204", 4, "sudo"), ("HD202", 6, "root")),
        ("HD801", "HD809", "HD201"),
    ),
    Case(
        "quoted heredoc that strips tabs",
        "FROM debian:12\nRUN <<-'SCRIPT'\n\tcurl -k https://example.org/i.sh | sh\n\tsudo ls\n\tSCRIPT\nWORKDIR app\n",
        (("HD507", 3, "-k"), ("HD501", 3, "sh"), ("HD204", 4, "sudo"), ("HD821", 6, "app")),
        ("HD801", "HD809"),
    ),
    Case(
        "heredoc behind a mount",
        "FROM debian:12\nRUN --mount=type=cache,target=/var/cache/apt <<EOF\nset -e\nsudo ls\nEOF\nEXPOSE 22\n",
        (("HD204", 4, "sudo"), ("HD520", 6, "22")),
        ("HD801", "HD806", "HD809", "HD845"),
    ),
    Case(
        "heredoc for another interpreter",
        "FROM python:3.13-slim\nRUN python3 <<EOF\nprint('sudo apt-get install')\nEXPOSE 22\nUSER root\nEOF\nUSER 1000\n",
        (),
        ("HD201", "HD202", "HD204", "HD401", "HD520", "HD801", "HD809"),
    ),
    Case(
        "heredoc that cat writes to a file",
        "FROM debian:12\nRUN cat <<EOF > /notes\nEXPOSE 22\nUSER root\nsudo ls\nEOF\nUSER 1000\n",
        (),
        ("HD201", "HD202", "HD204", "HD520", "HD801", "HD809"),
    ),
    Case(
        "COPY with a heredoc",
        "FROM debian:12\nCOPY <<EOF /etc/motd\nFROM nothing:latest\nEXPOSE 22\nsudo ls\nEOF\nUSER 1000\n",
        (),
        ("HD102", "HD204", "HD520", "HD801", "HD809", "HD822", "HD823"),
    ),
    Case(
        "COPY with two heredocs",
        'FROM debian:12\nCOPY <<"A" <<B /srv/\nRUN sudo ls\nA\nUSER root\nB\nUSER 1000\n',
        (),
        ("HD202", "HD204", "HD801", "HD809", "HD823"),
    ),
    Case(
        "backtick as escape, for Windows",
        "# escape=`\nFROM mcr.microsoft.com/windows/servercore:ltsc2022\nWORKDIR C:\\app\nCOPY app C:\\app\\\n"
        'RUN powershell -Command `\n    Write-Host "sudo | sh"; `\n    Get-ChildItem C:\\ | Select-Object Name\n',
        (),
        ("HD204", "HD501", "HD801", "HD811", "HD821", "HD822", "HD840", "HD901"),
    ),
    Case(
        "escape directive too late to be one",
        "FROM debian:12\n# escape=`\nRUN echo a && \\\n    sudo ls\n",
        (("HD204", 4, "sudo"), ("HD840", 2, "# escape=`")),
        ("HD801", "HD811"),
    ),
    Case(
        "check directive of BuildKit",
        "# check=skip=SecretsUsedInArgOrEnv\nFROM debian:12\nENV DB_PASSWORD=xK4hq92LmZ\nWORKDIR app\n",
        (("HD821", 4, "app"),),
        ("HD811", "HD840"),
    ),
    Case(
        "ONBUILD hides what it runs",
        "FROM alpine:3.22\nONBUILD RUN sudo apk add curl\nONBUILD ENV API_TOKEN=xK4hq92LmZ8vT1\nONBUILD USER root\n",
        (("HD204", 2, "sudo"), ("HD402", 2, "curl"), ("HD413", 2, "apk add"), ("HD301", 3, "xK4hq92LmZ8vT1")),
        ("HD801", "HD813"),
    ),
    Case(
        "two arguments make the image",
        "ARG BASE=ubuntu TAG=latest\nFROM ${BASE}:${TAG}\n",
        (("HD102", 2, "${BASE}:${TAG}"),),
        ("HD101", "HD112", "HD113", "HD114"),
    ),
    Case("argument without a default", "ARG BASE\nFROM $BASE\n", (("HD114", 2, "$BASE"),), ("HD101", "HD102", "HD112", "HD113")),
    Case(
        "default inside the reference",
        "FROM ${BASE:-ubuntu}\n",
        (("HD101", 1, "${BASE:-ubuntu}"), ("HD112", 1, "${BASE:-ubuntu}")),
        ("HD102", "HD113"),
    ),
    Case("image in one argument", "ARG IMG=ubuntu\nFROM $IMG\n", (("HD101", 2, "$IMG"),), ("HD112", "HD113", "HD114")),
    Case(
        "latest with a digest in an argument",
        f"ARG DIGEST=sha256:{'a' * 64}\nFROM ubuntu:latest@$DIGEST\n",
        (),
        ("HD101", "HD102", "HD104", "HD112", "HD113"),
    ),
    Case(
        "stage names regardless of case",
        "FROM debian:12 AS build\nWORKDIR /src\nRUN make\nFROM build\nWORKDIR out\nFROM debian:12\nCOPY --from=BUILD /src/a /a\n",
        (),
        ("HD101", "HD815", "HD816", "HD821"),
    ),
    Case("FROM a stage name with capitals", "FROM debian:12 AS build\nFROM Build\n", (("HD113", 2, "Build"),)),
    Case(
        "stage named like an image",
        "FROM golang:1.25 AS golang\nRUN go build -o /a\nFROM golang\nUSER 1000\n",
        (),
        ("HD101", "HD102", "HD819", "HD820"),
    ),
    Case(
        "from= of a number, an image and a later stage",
        "FROM debian:12 AS one\nCOPY --from=5 /a /a\nCOPY --from=nginx /a /a\nCOPY --from=nginx:latest /b /b\nCOPY --from=two /c /c\n"
        "FROM debian:12 AS two\nCOPY --from=one /a /a\n",
        (("HD815", 2, "5"), ("HD101", 3, "nginx"), ("HD102", 4, "nginx:latest"), ("HD816", 5, "two")),
        ("HD817", "HD818"),
    ),
    Case(
        "platforms",
        "FROM --platform=linux/amd64 debian:12 AS one\nFROM --platform=linux/arm64 debian:12 AS build-arm64\n"
        "FROM --platform=$TARGETPLATFORM debian:12\nCOPY --from=one /a /a\nCOPY --from=build-arm64 /b /b\n",
        (("HD115", 1, "linux/amd64"), ("HD116", 3, "--platform=$TARGETPLATFORM")),
        ("HD112", "HD606", "HD833"),
    ),
    Case(
        "RUN flags that undo the sandbox",
        "FROM debian:12\nRUN --security=insecure make\nRUN --network=host make test\n"
        "RUN --mount=type=bind,from=ubuntu:latest,target=/u cp /u/a /a\n",
        (("HD209", 2, "--security=insecure"), ("HD210", 3, "--network=host"), ("HD102", 4, "ubuntu:latest")),
        ("HD806", "HD815", "HD845"),
    ),
    Case(
        "comments inside a continuation",
        "FROM debian:12\nRUN apt-get update && \\\n# sudo is not run here\n    apt-get install -y curl && \\\n    # nor chmod 777 /\n"
        "    rm -rf /var/lib/apt/lists/*\n",
        (("HD401", 4, "curl"),),
        ("HD204", "HD207", "HD411", "HD421", "HD801", "HD812"),
    ),
    Case(
        "CR LF",
        "FROM debian:12\r\nRUN echo a && \\\r\n    sudo ls\r\nWORKDIR app\r\nUSER root\r\n",
        (("HD204", 3, "sudo"), ("HD821", 4, "app"), ("HD202", 5, "root")),
        ("HD801", "HD839"),
    ),
    Case("byte order mark", "\ufeffFROM ubuntu\nUSER root\n", (("HD101", 1, "ubuntu"), ("HD202", 2, "root")), ("HD801", "HD803", "HD804")),
    Case(
        "exec forms that are none",
        "FROM debian:12\nENTRYPOINT ['nginx', '-g']\nCMD [\"a\", \"b\",]\n",
        (("HD814", 2, "['nginx', '-g']"), ("HD814", 3, '["a", "b",]')),
        ("HD808",),
    ),
    Case(
        "empty lines inside a continuation",
        "FROM debian:12\nRUN apt-get update && \\\n\n    apt-get install -y curl && \\\n\n\n    rm -rf /var/lib/apt/lists/*\nRUN sudo ls\n",
        (("HD401", 4, "curl"), ("HD204", 8, "sudo")),
        ("HD411", "HD421", "HD801"),
    ),
    Case(
        "PowerShell on Linux",
        'FROM mcr.microsoft.com/powershell:7.5-debian-12\nSHELL ["pwsh", "-Command"]\nRUN iwr https://example.org/i.ps1 | iex\n'
        "RUN Get-ChildItem | Select-Object Name\n",
        (("HD501", 3, "iex"),),
        ("HD901",),
    ),
    Case(
        "pipefail in a cluster of SHELL flags",
        'FROM debian:12\nSHELL ["bash", "-euxo", "pipefail", "-c"]\nRUN cat /etc/passwd | sort > /a\n',
        (),
        ("HD901",),
    ),
    Case(
        "pipefail set by the command itself",
        'FROM fedora:42\nRUN set -o pipefail && cat /a | sort > /b\nRUN ["bash", "-o", "pipefail", "-c", "cat /a | sort > /c"]\n'
        "RUN set -euo pipefail; cat /a | sort > /d\n",
        (),
        ("HD901",),
    ),
    Case(
        "ENV without an equals sign",
        "FROM debian:12\nENV API_TOKEN xK4hq92LmZ8vT1\n",
        (("HD301", 2, "xK4hq92LmZ8vT1"), ("HD841", 2, "API_TOKEN")),
    ),
    Case(
        "commands and keys that are only text",
        'FROM debian:12\nENV HINT="set TOKEN=yours before you start"\nLABEL doc="PASSWORD=none"\n'
        'RUN echo "sudo apt-get install curl" > /hint\nRUN printf \'%s\\n\' "curl x | sh" > /h\n',
        (),
        ("HD204", "HD301", "HD304", "HD401", "HD421", "HD423", "HD501", "HD516"),
    ),
    Case("root by an argument", "FROM debian:12\nARG APP_UID=0\nUSER $APP_UID\n", (("HD202", 3, "$APP_UID"),), ("HD201", "HD833")),
    Case("user by an argument", "FROM debian:12\nARG APP_UID=1000\nUSER ${APP_UID}:${APP_UID}\n", (), ("HD201", "HD202", "HD833")),
    Case("user by an argument without a default", "FROM debian:12\nARG APP_UID\nUSER $APP_UID\n", (), ("HD202",)),
    Case("root 0:0", "FROM debian:12\nUSER 0:0\n", (("HD202", 2, "0:0"),), ("HD201",)),
    Case("root 0", "FROM debian:12\nUSER 0\n", (("HD202", 2, "0"),), ("HD201",)),
    Case("root root:root", "FROM debian:12\nUSER root:root\n", (("HD202", 2, "root:root"),), ("HD201",)),
    Case("root in quotes", 'FROM debian:12\nUSER "root"\n', (("HD202", 2, '"root"'),), ("HD201",)),
    Case("root +0", "FROM debian:12\nUSER +0\n", (("HD202", 2, "+0"),), ("HD201",)),
    Case("root 00", "FROM debian:12\nUSER 00\n", (("HD202", 2, "00"),), ("HD201",)),
    Case("group 0 is not root", "FROM debian:12\nUSER 1001:0\n", (), ("HD201", "HD202")),
    Case(
        "USER in the builder only",
        "FROM debian:12 AS build\nUSER 1000\nRUN make\nFROM debian:12\nCOPY --from=build /a /a\n",
        (("HD201", 4, "debian:12"),),
        ("HD202",),
    ),
    Case(
        "root in the builder only",
        "FROM debian:12 AS build\nUSER root\nRUN make\nFROM debian:12\nCOPY --from=build /a /a\nUSER 1000\n",
        (),
        ("HD201", "HD202"),
    ),
    Case("USER inherited from a stage", "FROM debian:12 AS base\nUSER 1000\nFROM base\nRUN make\n", (), ("HD201", "HD202", "HD203")),
    Case("root inherited from a stage", "FROM debian:12 AS base\nUSER root\nFROM base\nRUN make\n", (("HD202", 2, "root"),), ("HD201",)),
    Case("HEALTHCHECK NONE", "FROM nginx:1.29\nHEALTHCHECK NONE\n", (("HD702", 2, "NONE"),), ("HD701",)),
    Case(
        "two health checks, and certificates unchecked",
        "FROM nginx:1.29\nHEALTHCHECK CMD curl -f https://localhost/\nHEALTHCHECK CMD curl -kf https://localhost/\n",
        (("HD703", 2, "HEALTHCHECK"),),
        ("HD701", "HD810"),
    ),
    Case(
        "secrets in many places",
        "FROM debian:12\nENV PASSWORD_FILE=/run/secrets/pw\nARG GIT_AUTH_TOKEN\n"
        "ENV DATABASE_URL=postgres://app:xK4hq92LmZ@db/app\n"
        "RUN curl -fsSL -H 'Authorization: Bearer xK4hq92LmZ8vT1qP' https://api.example.org/a -o /a\n"
        "RUN git clone https://bob:xK4hq92LmZ@git.example.org/a.git /b\n"
        'RUN echo "//registry.npmjs.org/:_authToken=npm_xK4hq92LmZ8vT1qPaB3cD4eF5gH6iJ7kL8mN" > ~/.npmrc\n',
        (
            ("HD302", 3, "GIT_AUTH_TOKEN"),
            ("HD306", 4, "xK4hq92LmZ"),
            ("HD304", 5, "xK4hq92LmZ8vT1qP"),
            ("HD306", 6, "xK4hq92LmZ"),
            ("HD304", 7, "npm_xK4hq92LmZ8vT1qPaB3cD4eF5gH6iJ7kL8mN"),
        ),
        ("HD301",),
    ),
    Case(
        "scratch without USER",
        'FROM golang:1.25 AS build\nRUN go build -o /a\nFROM scratch\nCOPY --from=build /a /a\nENTRYPOINT ["/a"]\n',
        (("HD201", 3, "scratch"),),
        ("HD101", "HD102", "HD815"),
    ),
    Case("RUN before FROM", "RUN sudo ls\nFROM ubuntu\n", (("HD803", 1, "RUN"), ("HD101", 2, "ubuntu"))),
    Case("empty file", "", (("HD804", 1, ""),)),
    Case("comments only", "# nothing\n# here\n", (("HD804", 1, ""),)),
    Case(
        "lower case",
        "from ubuntu as base\nrun sudo ls\nuser root\n",
        (("HD101", 1, "ubuntu"), ("HD204", 2, "sudo"), ("HD202", 3, "root")),
        ("HD801", "HD842", "HD843"),
    ),
    Case(
        "indented",
        "  FROM ubuntu\n\tRUN sudo ls\n   USER root\n",
        (("HD101", 1, "ubuntu"), ("HD204", 2, "sudo"), ("HD202", 3, "root")),
        ("HD801",),
    ),
    Case(
        "blanks behind the backslash",
        "FROM debian:12\nRUN echo a && \\  \n    sudo ls\nUSER root\n",
        (("HD204", 3, "sudo"), ("HD202", 4, "root")),
        ("HD801",),
    ),
    Case("no line end at the end", "FROM debian:12\nUSER root", (("HD202", 2, "root"),)),
    Case("backslash at the end", "FROM debian:12\nRUN sudo ls \\\n", (("HD204", 2, "sudo"),), ("HD801",)),
    Case(
        "an unknown instruction hides nothing",
        "FROM ubuntu\nRUNN apt-get update\nRUN sudo ls\nUSER root\n",
        (("HD101", 1, "ubuntu"), ("HD801", 2, "RUNN"), ("HD204", 3, "sudo"), ("HD202", 4, "root")),
    ),
    Case(
        "ports",
        "FROM debian:12\nEXPOSE 80:80\nEXPOSE 127.0.0.1:90:90\nEXPOSE 70000\nEXPOSE 22/TCP\nEXPOSE 20-25\nRUN sudo ls\n",
        (
            ("HD829", 2, "80:80"),
            ("HD829", 3, "127.0.0.1:90:90"),
            ("HD828", 4, "70000"),
            ("HD520", 5, "22/TCP"),
            ("HD831", 5, "22/TCP"),
            ("HD520", 6, "20-25"),
            ("HD204", 7, "sudo"),
        ),
    ),
    Case(
        "sources of ADD",
        "FROM debian:12\nADD https://example.org/a.bin /a\nADD --checksum=sha256:" + "a" * 64 + " https://example.org/b.bin /b\n"
        "ADD git@github.com:moby/buildkit.git#v0.20.0 /c\nADD rootfs.tar.xz /\nADD conf /etc/conf\n",
        (("HD513", 2, "https://example.org/a.bin"), ("HD515", 6, "ADD")),
        ("HD309", "HD825", "HD827"),
    ),
    Case(
        "scripts from the network",
        "FROM debian:12\nRUN curl -fsSL https://example.org/a.sh | sudo bash\nRUN bash <(curl -fsSL https://example.org/b.sh)\n"
        "RUN wget -qO- https://example.org/c.sh | sh\nRUN curl -fsSL https://example.org/d.gpg | apt-key add -\n",
        (
            ("HD501", 2, "bash"),
            ("HD204", 2, "sudo"),
            ("HD501", 3, "bash"),
            ("HD501", 4, "sh"),
            ("HD505", 5, "apt-key add"),
        ),
    ),
    Case(
        "cd in a subshell, and a package in a variable",
        "FROM debian:12\nARG p=curl\nRUN (cd /tmp && make)\n"
        'RUN apt-get update && apt-get install -y --no-install-recommends "$p" && rm -rf /var/lib/apt/lists/*\n',
        (),
        ("HD427", "HD902", "HD903"),
    ),
    Case("comment behind FROM", "FROM alpine:3.22 # base\nRUN sudo ls\n", (("HD204", 2, "sudo"), ("HD805", 1, "# base"))),
    Case(
        "modes, owners, sockets and signals",
        "FROM debian:12\nCOPY --chmod=777 a /srv/a\nCOPY --chown=0:0 b /srv/b\n"
        "RUN chmod u+s /srv/a\nVOLUME /var/run/docker.sock\nSTOPSIGNAL SIGFOO\n",
        (("HD207", 2, "777"), ("HD208", 4, "u+s"), ("HD212", 5, "/var/run/docker.sock"), ("HD714", 6, "SIGFOO")),
        ("HD825",),
    ),
    Case(
        "apt-get in many spellings",
        "FROM debian:12\nRUN env X=1 sudo -u app apt-get install -y aa\nRUN /usr/bin/apt-get install -y bb\n"
        'RUN sh -c "sudo apt-get install -y cc"\nRUN ["apt-get", "install", "-y", "dd"]\n'
        "RUN DEBIAN_FRONTEND=noninteractive apt-get -qq install -y ee\n",
        (
            ("HD204", 2, "sudo"),
            ("HD401", 2, "aa"),
            ("HD401", 3, "bb"),
            ("HD204", 4, "sudo"),
            ("HD401", 4, "cc"),
            ("HD401", 5, "dd"),
            ("HD401", 6, "ee"),
        ),
    ),
    Case(
        "heredoc with a shebang for another interpreter",
        "FROM python:3.13-slim\nRUN <<EOF\n#!/usr/bin/env python3\nprint('a') # sudo ls\nsudo = 1\nEOF\nUSER 1000\n",
        (),
        ("HD202", "HD204", "HD801", "HD809"),
    ),
    Case(
        "heredoc with a shebang for bash",
        "FROM debian:12\nRUN <<EOF\n#!/bin/bash\nset -e\nsudo ls\nEOF\nUSER 1000\n",
        (("HD204", 5, "sudo"),),
        ("HD201", "HD801", "HD809"),
    ),
    Case(
        "two heredocs, one piped into a shell and one into a file",
        "FROM debian:12\nRUN bash <<A && cat <<B > /b\nsudo ls\nA\nsudo id\nB\nUSER root\n",
        (("HD204", 3, "sudo"), ("HD202", 7, "root")),
        ("HD801", "HD809"),
    ),
    Case(
        "undefined variables",
        "ARG VERSION=1\nFROM debian:12\nENV A=$NOWHERE\nCOPY $VERSION /v\nWORKDIR ${HERE:-/app}\nRUN echo $ANYTHING\n",
        (("HD833", 3, "$NOWHERE"), ("HD834", 4, "$VERSION")),
        ("HD112",),
    ),
    Case(
        "blank line ends the directives",
        "# syntax=docker/dockerfile:1\n\n# escape=`\nFROM debian:12\nRUN echo a && \\\n    sudo ls\n",
        (("HD204", 6, "sudo"),),
        ("HD801",),
    ),
    Case(
        "ignore comments",
        "FROM debian:12\n# harden: ignore[HD204] needed here\nRUN sudo ls\nRUN sudo id\n",
        (("HD204", 4, "sudo"),),
    ),
    Case(
        "secret in a stage that is not the last",
        "FROM debian:12 AS build\nENV API_TOKEN=xK4hq92LmZ8vT1\nRUN make\nFROM debian:12\nCOPY --from=build /a /a\nUSER 1000\n",
        (("HD301", 2, "xK4hq92LmZ8vT1"),),
    ),
    Case(
        "everything of a stage, and files with secrets",
        "FROM debian:12 AS b\nRUN make\nFROM debian:12\nCOPY --from=b / /\nCOPY .env id_rsa /srv/\nCOPY .git /srv/.git\n",
        (("HD222", 4, "/ /"), ("HD309", 5, ".env"), ("HD309", 5, "id_rsa"), ("HD310", 6, ".git")),
    ),
    Case(
        "heredoc for a shell that is named behind it",
        "FROM debian:12\nRUN <<EOF bash\nsudo ls\nEOF\nUSER root\n",
        (("HD204", 3, "sudo"), ("HD202", 5, "root")),
    ),
    Case(
        "heredoc that cat hands on to a shell",
        "FROM debian:12\nRUN cat <<EOF | bash 2>&1\nsudo ls\nEOF\nUSER root\n",
        (("HD204", 3, "sudo"), ("HD202", 5, "root")),
    ),
    Case(
        "heredoc that cat hands on to a file",
        "FROM debian:12\nRUN cat <<EOF | tee /a\nsudo ls\nEOF\nUSER root\n",
        (("HD202", 5, "root"),),
        ("HD204",),
    ),
    Case(
        "heredoc with a file descriptor",
        "FROM debian:12\nRUN 0<<EOF sh\nsudo ls\nEOF\nUSER root\n",
        (("HD204", 3, "sudo"), ("HD202", 5, "root")),
    ),
    Case(
        "heredoc with a blank in its name",
        "FROM debian:12\nRUN <<'a b' sh\nsudo ls\na b\nUSER root\n",
        (("HD204", 3, "sudo"), ("HD202", 5, "root")),
    ),
    Case(
        "heredoc in a continued line",
        "FROM debian:12\nRUN set -e; \\\n  <<EOF sh\nsudo ls\nEOF\nUSER root\n",
        (("HD204", 4, "sudo"), ("HD202", 6, "root")),
    ),
    Case(
        "heredoc of ONBUILD", "FROM debian:12\nONBUILD RUN <<EOF\nsudo ls\nEOF\nUSER root\n", (("HD204", 3, "sudo"), ("HD202", 5, "root"))
    ),
    Case("heredoc without an end", "FROM debian:12\nRUN <<EOF\nsudo ls\n", (("HD809", 2, "<<EOF"), ("HD204", 3, "sudo")), ("HD801",)),
    Case(
        "two heredocs that no command reads",
        "FROM debian:12\nRUN <<A <<B\nsudo ls\nA\nsudo id\nB\nUSER root\n",
        (("HD202", 7, "root"),),
        ("HD204", "HD801", "HD809"),
    ),
    Case("pipe without pipefail", "FROM debian:12\nRUN cat /a | sort > /b\n", (("HD901", 2, "cat"),), ("HD908",)),
    Case(
        "pipefail in a shell that has none",
        "FROM debian:12\nRUN set -o pipefail && cat /a | sort > /b\n",
        (("HD908", 2, "pipefail"),),
        ("HD901",),
    ),
)

# Ways to run what comes from the network: the command, and the text under the span of HD501.
SCRIPTS = (
    ("curl https://x.io | bash", "bash"),
    ("curl https://x.io | /bin/sh -s -- -y", "/bin/sh"),
    ("curl https://x.io | sudo -E bash -", "bash"),
    ("curl https://x.io | env A=1 zsh", "zsh"),
    ("curl https://x.io | tee /a | bash", "bash"),
    ("curl https://x.io | gunzip | bash", "bash"),
    ("curl https://x.io |& bash", "bash"),
    ("curl https://x.io | (bash)", "bash"),
    ("curl https://x.io | python3 -", "python3"),
    ("wget -qO- https://x.io | busybox sh", "sh"),
    ("sh <(wget -qO- https://x.io)", "sh"),
    (". <(curl https://x.io)", "."),
    ('bash -c "$(curl https://x.io)"', "bash"),
    ('eval "$(curl https://x.io)"', "eval"),
    ('bash <<< "$(curl https://x.io)"', "bash"),
    ('echo "$(curl https://x.io)" | sh', "sh"),
    ("sh -c `curl https://x.io`", "sh"),
    ('["bash", "-c", "curl https://x.io | sh"]', "sh"),
)


class Fact(NamedTuple):
    """What a finding says: the rule, the line, and the text under its span."""

    rule: str
    line: int
    text: str


def report(harden: Harden, *paths: str) -> dict[str, Any]:
    """Lint files of the working directory and return the JSON report."""
    result = harden("lint", *OPTIONS, *paths)
    assert "Traceback" not in result.err
    read = json.loads(result.out)
    assert isinstance(read, dict)
    assert read["summary"]["exit_code"] == result.code
    return read


def facts(harden: Harden, text: str) -> list[Fact]:
    """Lint a text and return its findings, each with what its offsets and its line and column agree on."""
    Path("Dockerfile").write_bytes(text.encode())
    read = report(harden, "Dockerfile")
    assert read["errors"] == []
    lines = text.splitlines(keepends=True)
    found = []
    for row in read["findings"]:
        fact = Fact(row["rule"], row["line"], text[row["start"] : row["end"]])
        if fact.text:
            bom = fact.line == 1 and text.startswith("\ufeff")
            assert lines[fact.line - 1][row["column"] - 1 + bom :].startswith(fact.text.splitlines()[0])
        found.append(fact)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_construct(case: Case, harden: Harden) -> None:
    found = facts(harden, case.text)
    assert [fact for fact in case.found if fact not in found] == []
    assert [fact for fact in found if fact.rule in case.silent] == []


def test_every_rule_of_the_table_exists(harden: Harden) -> None:
    known = {line.split()[0] for line in harden("rules").out.splitlines()}
    assert {rule for case in CASES for rule in (*case.silent, *(fact[0] for fact in case.found))} <= known


@pytest.mark.parametrize(("command", "runner"), SCRIPTS, ids=[command for command, _ in SCRIPTS])
def test_script_from_the_network(command: str, runner: str, harden: Harden) -> None:
    assert [fact for fact in facts(harden, f"FROM debian:12\nRUN {command}\n") if fact.rule == "HD501"] == [Fact("HD501", 2, runner)]


def test_odd_neighbours_change_nothing_in_other_files(harden: Harden) -> None:
    Path("Dockerfile").write_text("FROM debian:12\nRUN sudo ls\nRUN echo r | chpasswd\n", encoding="utf-8")
    alone = report(harden, "Dockerfile")["findings"]
    for name, data in {
        "a": b"FROM debian:12\nRUN true\nRUN 1\nRUN null\n",
        "empty": b"",
        "binary": b"\x7fELF\x00\x01",
        "latin1": b'FROM debian:12\nLABEL a="caf\xe9"\n',
        "broken": b"FROM\nRUN [\nEXPOSE x\nCOPY\n\\\n",
    }.items():
        Path(name).mkdir()
        Path(name, "Dockerfile").write_bytes(data)
    Path("a", "Dockerfile").chmod(0o755)
    read = report(harden, ".")
    assert [row for row in read["findings"] if row["path"] == "Dockerfile"] == alone
    assert {row["path"] for row in read["findings"]} == {"Dockerfile", "a/Dockerfile", "broken/Dockerfile", "empty/Dockerfile"}
    assert [row["path"] for row in read["errors"]] == ["binary/Dockerfile", "latin1/Dockerfile"]


def test_ten_thousand_lines_are_judged_to_the_last(harden: Harden) -> None:
    text = "FROM debian:12\n" + "# a comment\nLABEL a=b\n" * 5_000 + "USER root\n"
    assert Fact("HD202", 10_002, "root") in facts(harden, text)

#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The libulysses_coll authors
# SPDX-License-Identifier: Apache-2.0
"""What a user of the installed package sees: `installed.py CHECK BUILD` with CHECK one of

  header     each public header alone compiles as C11 and as C++17, pedantic, warnings are errors
  consumers  consumer.c, consumer.cc and attention.c compile, link and run against an installation, by pkg-config alone
  symbols    each library exports exactly what its map and its header name
  elf        soname, immediate binding, read-only relocations, no relocations in code

BUILD is a Meson build directory with everything built; it is installed into a temporary directory.
`installed.py --self-test` shows each check red on bad input.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/api"


@dataclass(frozen=True)
class Library:
    name: str  # of its pkg-config file and header
    map: Path

    @property
    def header(self) -> Path:
        return ROOT / f"include/{self.name}.h"

    @property
    def soname(self) -> str:
        return f"lib{self.name}.so.0"


COLL = Library("ulysses_coll", ROOT / "src/libulysses_coll.map")
ATTENTION = Library("ulysses_attention", ROOT / "src/attention/libulysses_attention.map")
LIBRARIES = (COLL, ATTENTION)
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
CC = shlex.split(os.environ.get("CC", "cc"))
CXX = shlex.split(os.environ.get("CXX", "c++"))


def run(command: list[str], **options: object) -> str:
    """Its standard output; raises CalledProcessError, which main() shows."""
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, **options).stdout  # type: ignore


@contextlib.contextmanager
def installation(build: Path) -> Iterator[Path]:
    """A temporary installation; gives its prefix."""
    with tempfile.TemporaryDirectory(prefix="api-check-install-") as directory:
        run(["meson", "install", "-C", str(build), "--no-rebuild", "--destdir", directory])
        for library in LIBRARIES:
            header = next(Path(directory).rglob(library.header.name), None)
            if header is None:
                raise FileNotFoundError(f"meson install did not install {library.header.name}")
        yield header.parent.parent


def find_library(prefix: Path, library: Library = COLL) -> Path:
    file = next(prefix.rglob(library.soname), None)
    if file is None:
        raise FileNotFoundError(f"{library.soname} is not installed; there is: {[path.name for path in prefix.rglob('*.so*')]}")
    return file


# ---------------------------------------------------------------------------------------------- header


def check_header(header: Path) -> list[str]:
    findings = []
    for compiler, language, standard in ((CC, "c", "c11"), (CXX, "c++", "c++17")):
        command = [*compiler, "-x", language, f"-std={standard}", *STRICT, f"-I{header.parent}", f"-I{COLL.header.parent}",
                   "-fsyntax-only", "-"]
        result = subprocess.run(command, input=f"#include <{header.name}>\n", capture_output=True, text=True)
        if result.returncode:
            findings.append(f"{header.name} is not clean {standard}:\n{result.stderr}")
    return findings


# ---------------------------------------------------------------------------------------------- consumers


def expected_exchange() -> str:
    return "".join(f"head 0: {10 * token:2}   head 1: {10 * token + 1:2}\n" for token in range(4))


def expected_attention() -> str:
    tokens = range(8)
    return "".join(f"token {j}: O {j / 2:.4f} dV {sum(1 / (i + 1) for i in tokens if i >= j):.4f}\n" for j in tokens)


@dataclass(frozen=True)
class Consumer:
    source: str
    library: Library
    compiler: list[str]
    expected: Callable[[], str] | None = None  # what it prints


CONSUMERS = (
    Consumer("consumer.c", COLL, [*CC, "-std=c11"], expected_exchange),
    Consumer("consumer.cc", COLL, [*CXX, "-std=c++17", "-pthread"]),
    Consumer("attention.c", ATTENTION, [*CC, "-std=c11", "-pthread"], expected_attention),
)


def pkg_config(prefix: Path, library: Library) -> list[str]:
    pc = next(prefix.rglob(f"{library.name}.pc"), None)
    if pc is None:
        raise FileNotFoundError(f"{library.name}.pc is not installed")
    environment = {**os.environ, "PKG_CONFIG_LIBDIR": str(pc.parent)}
    return shlex.split(run(["pkg-config", f"--define-variable=prefix={prefix}", "--cflags", "--libs", library.name],
                           env=environment))


def check_consumers(prefix: Path, consumers: tuple[Consumer, ...] = CONSUMERS) -> list[str]:
    findings = []
    with tempfile.TemporaryDirectory(prefix="api-check-consumer-") as directory:
        for consumer in consumers:
            source, program = consumer.source, f"{directory}/{consumer.source}.out"
            try:
                flags = pkg_config(prefix, consumer.library)
                run([*consumer.compiler, *STRICT, str(HERE / source), "-o", program, *flags])
                output = run([program], env={**os.environ, "LD_LIBRARY_PATH": str(find_library(prefix).parent)})
            except subprocess.CalledProcessError as error:
                findings.append(f"{source}: {describe(error)}")
                continue
            if consumer.expected and output != consumer.expected():
                findings.append(f"{source} printed:\n{output}instead of:\n{consumer.expected()}")
    return findings


# ---------------------------------------------------------------------------------------------- symbols


def declared(header: str) -> set[str]:
    """Names of the functions that the header declares ULYSSES_API."""
    text = re.sub(r"//[^\n]*|^#[^\n]*", "", header, flags=re.MULTILINE)
    return set(re.findall(r"\bULYSSES_API\b[^;(]*?\b(\w+)\s*\(", text))


def mapped(version_script: str) -> tuple[set[str], set[str]]:
    """Version nodes and global names of a version script."""
    text = re.sub(r"/\*.*?\*/|#[^\n]*", "", version_script, flags=re.DOTALL)
    nodes = set(re.findall(r"(\w+)\s*\{", text))
    blocks = re.findall(r"global:(.*?)(?=local:|\})", text, flags=re.DOTALL)
    return nodes, {name.strip() for block in blocks for name in block.split(";") if name.strip()}


def exported(library: Path) -> set[str]:
    lines = run(["nm", "--dynamic", "--defined-only", "--without-symbol-versions", str(library)]).splitlines()
    return {line.split()[-1] for line in lines}


def check_symbols(library: Path, version_script: str, header: str, map_name: str = "map") -> list[str]:
    nodes, allowed = mapped(version_script)
    findings = [f"{map_name}: {name}: name every function, no patterns" for name in allowed if not name.isidentifier()]
    for what, names in (("the library exports", exported(library) - nodes), ("the header declares", declared(header))):
        findings += [f"{what} {name}, which {map_name} does not name" for name in sorted(names - allowed)]
        findings += [f"{map_name} names {name}, but not so that {what} it" for name in sorted(allowed - names)]
    return findings


# ---------------------------------------------------------------------------------------------- elf


def check_elf(library: Path, soname: str = COLL.soname) -> list[str]:
    dynamic = run(["readelf", "--wide", "--dynamic", str(library)])
    segments = run(["readelf", "--wide", "--segments", str(library)])
    findings = []
    if f"soname: [{soname}]" not in dynamic:
        findings.append(f"soname is not {soname}")
    if "TEXTREL" in dynamic:
        findings.append("relocations in code (DT_TEXTREL)")
    if not re.search(r"\(FLAGS(_1)?\).*\b(BIND_)?NOW\b", dynamic):
        findings.append("no immediate binding (link with -Wl,-z,now)")
    if "GNU_RELRO" not in segments:
        findings.append("relocations stay writable (link with -Wl,-z,relro)")
    if re.search(r"GNU_STACK .*RWE", segments):
        findings.append("executable stack")
    return findings


# ---------------------------------------------------------------------------------------------- self-test

GOOD_HEADER = "#define ULYSSES_API\nULYSSES_API int ulyssesA(int* x);\n// ULYSSES_API int ulyssesOld(void);\n"
GOOD_MAP = "ULYSSES_0 {\n  global:\n    ulyssesA;  # one\n  local: *;\n};\n"
GOOD_SOURCE = "int ulyssesA(int* x) { return *x; }\nint hidden(void) { return 1; }\n"
GOOD_FLAGS = [f"-Wl,-soname,{COLL.soname}", "-Wl,-z,now", "-Wl,-z,relro"]


def stub(directory: str, source: str, version_script: str, flags: list[str]) -> Path:
    """A shared library made of one source text."""
    (Path(directory) / "stub.c").write_text(source, encoding="utf-8")
    (Path(directory) / "stub.map").write_text(version_script, encoding="utf-8")
    library = Path(directory) / COLL.soname
    run([*CC, "-shared", "-fPIC", *flags, "-Wl,--version-script=stub.map", "stub.c", "-o", str(library)], cwd=directory)
    return library


def bad_header(directory: str, text: str) -> list[str]:
    header = Path(directory) / "bad.h"
    header.write_text(text, encoding="utf-8")
    return check_header(header)


def bad_installation(directory: str) -> list[str]:
    """An installation whose library has none of the functions."""
    prefix = Path(directory)
    library = stub(directory, GOOD_SOURCE, GOOD_MAP, GOOD_FLAGS)
    (prefix / "libulysses_coll.so").symlink_to(library.name)
    (prefix / "ulysses_coll.pc").write_text(
        f"prefix=/nowhere\nName: stub\nDescription: stub\nVersion: 0\n"
        f"Cflags: -I{COLL.header.parent}\nLibs: -L${{prefix}} -lulysses_coll\n", encoding="utf-8")
    return check_consumers(prefix, CONSUMERS[:1])


def symbols_of(directory: str, source: str = GOOD_SOURCE, version_script: str = GOOD_MAP, header: str = GOOD_HEADER,
               built_with: str = GOOD_MAP) -> list[str]:
    return check_symbols(stub(directory, source, built_with, GOOD_FLAGS), version_script, header)


def elf_of(directory: str, flags: list[str]) -> list[str]:
    return check_elf(stub(directory, GOOD_SOURCE, GOOD_MAP, flags))


# what is tried -> a piece of the finding that it must give; None: no finding
CASES: list[tuple[str, Callable[[str], list[str]], str | None]] = [
    ("good symbols", symbols_of, None),
    ("extra export", lambda d: symbols_of(d, built_with=GOOD_MAP.replace("ulyssesA;", "ulyssesA; hidden;")), "exports hidden"),
    ("missing export", lambda d: symbols_of(d, source="int x;\n"), "names ulyssesA"),
    ("not in the header", lambda d: symbols_of(d, header=""), "names ulyssesA"),
    ("not in the map", lambda d: symbols_of(d, header=GOOD_HEADER + "ULYSSES_API void ulyssesB(void);\n"), "ulyssesB"),
    ("pattern", lambda d: symbols_of(d, version_script=GOOD_MAP.replace("ulyssesA", "ulysses*")), "no patterns"),
    ("good elf", lambda d: elf_of(d, GOOD_FLAGS), None),
    ("soname", lambda d: elf_of(d, [*GOOD_FLAGS, "-Wl,-soname,libulysses_coll.so.1"]), "soname"),
    ("lazy binding", lambda d: elf_of(d, [*GOOD_FLAGS, "-Wl,-z,lazy"]), "immediate binding"),
    ("no relro", lambda d: elf_of(d, [*GOOD_FLAGS, "-Wl,-z,norelro"]), "stay writable"),
    ("good header", lambda d: bad_header(d, "#include <stddef.h>\nsize_t f(void);\n"), None),
    ("header needs another", lambda d: bad_header(d, "size_t f(void);\n"), "not clean c11"),
    ("header is not C++", lambda d: bad_header(d, "int f(int class);\n"), "not clean c++17"),
    ("library without functions", bad_installation, "undefined reference"),
]


def self_test() -> list[str]:
    wrong = []
    for name, attempt, piece in CASES:
        with tempfile.TemporaryDirectory(prefix="api-check-self-") as directory:
            findings = attempt(directory)
        if (piece is None and findings) or (piece is not None and not any(piece in finding for finding in findings)):
            wrong.append(f"self-test '{name}' expected {piece or 'nothing'}, got {findings or 'nothing'}")
    return wrong


# ---------------------------------------------------------------------------------------------- main


def describe(error: subprocess.CalledProcessError) -> str:
    return f"{shlex.join(map(str, error.cmd))} failed ({error.returncode}):\n{error.stdout}{error.stderr}"


def check(name: str, build: Path) -> list[str]:
    if name == "header":
        return [finding for library in LIBRARIES for finding in check_header(library.header)]
    with installation(build) as prefix:
        if name == "consumers":
            return check_consumers(prefix)
        findings = []
        for library in LIBRARIES:
            file = find_library(prefix, library)
            if name == "symbols":
                findings += check_symbols(file, library.map.read_text(encoding="utf-8"),
                                          library.header.read_text(encoding="utf-8"), library.map.name)
            else:
                findings += check_elf(file, library.soname)
        return findings


def main() -> int:
    arguments = sys.argv[1:]
    if arguments != ["--self-test"] and (len(arguments) != 2 or arguments[0] not in ("header", "consumers", "symbols", "elf")):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        findings = self_test() if arguments == ["--self-test"] else check(arguments[0], Path(arguments[1]))
    except subprocess.CalledProcessError as error:
        findings = [describe(error)]
    except OSError as error:
        findings = [str(error)]
    print("\n".join(findings) or f"{arguments[0]}: ok")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())

"""The rules of docs/design.md that a machine can hold: who may import whom, purity, sizes, a test beside each module.

A new module needs nothing here if its part stands in LAYERS; a new part is one word there. An exception is one line
with its reason, and a line that is no longer needed is an error too, so that no list outlives its cause.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "netsla"

LAYERS: tuple[frozenset[str], ...] = (  # from below upwards; parts of one layer never import one another
    frozenset({"", "errors"}),  # "" is the package itself: its version
    frozenset({"model"}),
    frozenset({"sla"}),
    frozenset({"wire"}),
    frozenset({"config", "probes", "sinks", "store", "web", "control", "systemd", "clock", "doctor", "paths", "ports"}),
    frozenset(
        {"history", "alerting", "excluding", "vitals", "launch", "doors"}
    ),  # the agent's joints: each ties the engine to some edges
    frozenset({"telling", "portrait", "showing"}),
    frozenset({"agent"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
SIDEWAYS = {  # (who, whom) of one layer: why
    ("web", "ports"): "the server listens at what is open before it is there",
    ("sinks", "store"): "a sink delivers the rows of the outbox",
    ("store", "config"): "an evidence pack holds an agreement file, read by the configuration's own code",
}

IMPURE = {  # what pure code must not import: why
    "time": "now comes in as an argument",
    "asyncio": "values in, values out",
    "threading": "one owner, no locks",
    "concurrent": "one owner, no locks",
    "multiprocessing": "one owner, no locks",
    "logging": "what is worth saying is returned",
    "warnings": "what is worth saying is returned",
    "socket": "bytes come in as arguments",
    "select": "bytes come in as arguments",
    "selectors": "bytes come in as arguments",
    "ssl": "bytes come in as arguments",
    "aiohttp": "bytes come in as arguments",
    "sqlite3": "rows come in as arguments",
    "os": "no host below",
    "sys": "no host below",
    "signal": "no host below",
    "subprocess": "no host below",
    "pathlib": "no files below",
    "shutil": "no files below",
    "tempfile": "no files below",
    "random": "the same figures every time",
    "secrets": "the same figures every time",
    "uuid": "ids come in as arguments",
}
IMPURE_CALLS = {"open", "print", "input", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
PURE = ("sla", "wire")

LINES = 450  # STYLE: about 150, rarely over 400
LARGER = {  # file: why it is one file all the same
    "netsla/sla/accounts.py": "one set of books: every figure of time is booked here and nowhere else",
    "tests/probes/test_regressions.py": "one list of other tools' bugs, by number",
    "tests/sla/test_report.py": "the worked examples of docs/sla.md, one table after the other",
}
UNTESTED = {  # module without a test file of its own: what holds it
    "netsla/agent.py": "tests/scenarios: only whole agents show whether it works",
    "netsla/telling.py": "tests/scenarios",
    "netsla/errors.py": "values only",
    "netsla/probes/prober.py": "a Protocol and its facts",
    "netsla/sinks/base.py": "a Protocol",
    "netsla/web/source.py": "a Protocol",
    "netsla/wire/blocks.py": "values only",
    "netsla/sla/snapshot.py": "values only",
    "netsla/cli/app.py": "tests/test_cli.py",
    "netsla/cli/check.py": "tests/test_cli.py",
    "netsla/cli/doctor.py": "tests/test_cli.py",
    "netsla/cli/groups.py": "tests/test_cli.py",
    "netsla/cli/init.py": "tests/test_cli.py",
    "netsla/cli/options.py": "tests/test_cli.py",
    "netsla/cli/places.py": "tests/test_cli.py",
    "netsla/cli/probe.py": "tests/test_cli.py",
    "netsla/cli/status.py": "tests/test_cli.py",
    "netsla/cli/settling.py": "tests/cli/test_report.py, test_export.py, test_verify.py",
    "netsla/sla/classes.py": "tests/sla/test_accounting.py",
    "netsla/sla/packets.py": "tests/sla/test_report.py",
    "netsla/sla/promise.py": "tests/sla/test_report.py",
    "netsla/sla/replay.py": "tests/sla/test_resume.py",
    "netsla/sla/report_json.py": "tests/cli/test_report.py",
    "netsla/sla/settlement.py": "tests/sla/test_report.py",
    "netsla/sla/timeline.py": "tests/sla/test_report.py",
    "netsla/sla/view.py": "tests/sla/test_engine.py, tests/wire/test_status.py",
    "netsla/store/pack_chain.py": "tests/store/test_evidence.py",
    "netsla/web/gate.py": "tests/web/test_access.py",
    "netsla/web/login.py": "tests/web/test_access.py",
    "netsla/web/own.py": "tests/web/test_scrape.py",
    "netsla/web/stream.py": "tests/web/test_slow_clients.py",
    "netsla/wire/families.py": "tests/wire/test_exposition.py",
    "netsla/wire/report_html.py": "tests/cli/test_report.py",
}


@cache
def tracked(*patterns: str) -> tuple[str, ...]:
    """Files of the project that exist, known to git or new."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return tuple(sorted({name for name in names if (ROOT / name).is_file()}))


def modules() -> dict[str, Path]:
    """Path by module name; a package stands for its `__init__`."""
    paths = [ROOT / name for name in tracked(f"{PACKAGE}/**/*.py", f"{PACKAGE}/*.py")]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(node: ast.AST, module: str, path: Path) -> Iterator[str]:
    """Full names that an import statement may load: of `from a import b` both a.b and a."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            package = module if path.name == "__init__.py" else module.rpartition(".")[0]
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, base] if base else above)
        yield from (f"{base}.{alias.name}" for alias in node.names)


def at_import(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Statements that run when the module is imported: not in functions, not for type checkers only."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            yield from at_import(node.orelse)
            continue
        yield node
        for field in ("body", "orelse", "finalbody", "handlers"):
            inner = getattr(node, field, [])
            yield from at_import([one for one in inner if isinstance(one, ast.stmt)])
            for handler in inner:
                if isinstance(handler, ast.ExceptHandler):
                    yield from at_import(handler.body)


def own(name: str) -> str | None:
    """The module of ours that a full name means, or None."""
    known = modules_known()
    if name in known:
        return name
    parent = name.rpartition(".")[0]
    return parent if parent in known else None


@cache
def modules_known() -> frozenset[str]:
    return frozenset(modules())


def part(module: str) -> str:
    return [*module.split("."), ""][1]


def layer(name: str) -> int:
    found = [number for number, some in enumerate(LAYERS) if name in some]
    assert len(found) == 1, f"netsla/{name} stands in no layer: give it one in LAYERS"
    return found[0]


def dependencies() -> Iterator[tuple[str, str, int]]:
    """(importing module, imported module, line), wherever the statement stands."""
    for module, path in modules().items():
        for node in ast.walk(tree(path)):
            for name in imported(node, module, path):
                if (target := own(name)) is not None and target != module:
                    yield module, target, getattr(node, "lineno", 0)


def test_imports_run_downwards_only() -> None:
    wrong, used = [], set()
    for module, target, line in dependencies():
        who, whom = part(module), part(target)
        if who == whom or layer(whom) < layer(who):
            continue
        if (who, whom) in SIDEWAYS and layer(who) == layer(whom):
            used.add((who, whom))
        else:
            wrong.append(f"{module}:{line} imports {target}")
    assert wrong == []
    assert used == set(SIDEWAYS), "an exception that nobody needs"


def test_sideways_imports_lead_nowhere_back() -> None:
    graph: dict[str, set[str]] = {}
    for who, whom in SIDEWAYS:
        graph.setdefault(who, set()).add(whom)
    assert len(list(TopologicalSorter(graph).static_order())) == len({name for pair in SIDEWAYS for name in pair})


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {
        module: {
            target
            for node in at_import(tree(path).body)
            for name in imported(node, module, path)
            if (target := own(name)) is not None and target != module
        }
        for module, path in modules().items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import circle: {' -> '.join(error.args[1])}")
    assert graph["netsla.agent"] >= {"netsla.sla.engine", "netsla.control"}  # the graph is not empty by mistake


def pure() -> dict[str, Path]:
    return {module: path for module, path in modules().items() if part(module) in PURE}


def test_pure_code_imports_nothing_of_the_world() -> None:
    wrong = [
        f"{module}:{getattr(node, 'lineno', 0)} imports {name}: {IMPURE[name.split('.')[0]]}"
        for module, path in pure().items()
        for node in ast.walk(tree(path))
        for name in imported(node, module, path)
        if name.split(".")[0] in IMPURE
    ]
    assert wrong == []


def test_pure_code_asks_neither_clock_nor_files() -> None:
    wrong = [
        f"{module}:{node.lineno} calls {ast.unparse(node.func)}"
        for module, path in pure().items()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in IMPURE_CALLS
    ]
    assert wrong == []


def mirror(name: str) -> str:
    """The test file of a module: netsla/sla/tally.py -> tests/sla/test_tally.py."""
    path = Path(name)
    return str(Path("tests", *path.parts[1:-1], f"test_{path.name}"))


def test_each_module_has_its_test_file_or_a_reason() -> None:
    names = [name for name in tracked(f"{PACKAGE}/**/*.py", f"{PACKAGE}/*.py") if not Path(name).stem.startswith("__")]
    without = {name for name in names if not (ROOT / mirror(name)).exists()}
    assert without - set(UNTESTED) == set(), "write the mirror test, or say in UNTESTED what holds the module"
    assert set(UNTESTED) - without == set(), "these have a test file now, or are gone: take them out of UNTESTED"


def test_what_stands_in_for_a_test_file_exists() -> None:
    for name, reason in UNTESTED.items():
        for word in re.findall(r"tests/\S+\.py|tests/scenarios", reason):
            assert (ROOT / word).exists(), f"{name}: {word}"


def test_files_are_small() -> None:
    sizes = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in tracked("*.py", "**/*.py")}
    large = {name for name, lines in sizes.items() if lines > LINES}
    assert large - set(LARGER) == set(), f"over {LINES} lines: if it needs a table of contents, it is two files"
    assert set(LARGER) - large == set(), "small again, or gone: take it out of LARGER"


def test_files_name_no_package_index_and_no_machine() -> None:
    index = re.compile(word_of(r"https?://\S*(?:py", r"pi\.|/sim", r"ple/)|--(?:extra-)?ind", "ex-url"))
    machine = re.compile(word_of(r"(?<![\w.])/(?:work|root|ho", r"me/\w+|Users)/[\w.]+"))
    wrong = []
    for name in tracked():
        data = (ROOT / name).read_bytes()
        if b"\0" in data[:1024]:
            continue
        for number, line in enumerate(data.decode(encoding="utf-8", errors="replace").splitlines(), 1):
            if index.search(line) or machine.search(line):
                wrong.append(f"{name}:{number}: {line.strip()[:120]}")
    assert wrong == []


def test_every_dismissal_of_a_rule_gives_its_reason() -> None:
    bare = re.compile(word_of("#", r" (?:noqa(?:: [A-Z0-9, ]+)?|type: ignore(?:\[[^]]*\])?)\s*$"))
    wrong = [
        f"{name}:{number}: {line.strip()}"
        for name in tracked("*.py", "**/*.py")
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1)
        if bare.search(line)
    ]
    assert wrong == []


def word_of(*parts: str) -> str:
    """A pattern in pieces, so that it does not find itself."""
    return "".join(parts)

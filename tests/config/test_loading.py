from __future__ import annotations

import os
import shutil
import socket
import string
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netsla.config import load, load_agreement
from netsla.errors import ConfigError, Fault
from netsla.model import SECOND, Metric, ProbeType, Secret
from tests.config.writing import AGREEMENT, mistakes, plan, warnings, write

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture
def interface(tmp_path: Path) -> Path:
    """The example of the interface, exactly as written, with the files it names beside it."""
    text = (HERE / "interface" / "netsla.yaml").read_text("utf-8")
    path = write(tmp_path, text.replace("/etc/netsla/mqtt.pass", f"{tmp_path}/mqtt.pass"))
    write(tmp_path, (HERE / "interface" / "acme.yaml").read_text("utf-8"), "agreements.d/acme.yaml")
    write(tmp_path, "id,address,labels\nbonn,198.51.100.9,site=bonn;floor=2\nulm,2001:db8::9,\n", "branches.csv")
    write(tmp_path, "hunter2\n", "mqtt.pass")
    write(tmp_path, "", "web-config.yml")
    return path


def test_interface_example(interface: Path) -> None:
    found, advice = load(interface)
    (acme,) = found.agreements
    assert [(e.id, e.address, e.family) for e in acme.endpoints] == [
        ("berlin-hq", "203.0.113.10", "any"),
        ("berlin-dr", "dr.acme.example", "ipv6"),
        ("bonn", "198.51.100.9", "any"),
        ("ulm", "2001:db8::9", "any"),
    ]
    assert [spec.name for spec in acme.endpoints[0].probes] == ["ping", "https"]
    assert [spec.name for spec in acme.endpoints[1].probes] == ["ping"]
    ping, https = acme.endpoints[0].probes
    assert (ping.type, ping.size, ping.dscp, ping.source, ping.ttl) == (ProbeType.ICMP, 64, 46, "192.0.2.10", 64)
    assert (https.type, https.port, https.interval_ns, https.rst_is_up) == (ProbeType.TCP, 443, 10 * SECOND, True)
    assert acme.customer == "ACME GmbH"
    assert acme.plan == "gold"
    assert acme.credits is not None
    assert acme.credits.cap == Fraction(1, 2)
    assert acme.endpoints[2].labels == (("floor", "2"), ("site", "bonn"))
    assert found.mqtt is not None
    assert (found.mqtt.host, found.mqtt.port, found.mqtt.tls) == ("broker.example.net", 8883, True)
    assert found.mqtt.password == Secret("hunter2")
    assert found.web.config_file == str(interface.parent / "web-config.yml")
    assert [reference.name for reference in found.references] == ["gateway"]
    assert all("source 192.0.2.10" in str(fault) for fault in advice)


def test_secret_never_shows(interface: Path) -> None:
    found, _ = load(interface)
    assert "hunter2" not in repr(found)
    write(interface.parent, "other\n", "mqtt.pass")
    assert load(interface)[0].digest == found.digest


def test_interface_longer_forms(tmp_path: Path) -> None:
    longer = (HERE / "interface" / "longer.yaml").read_text("utf-8")
    text = (
        f"id: acme\n{longer}"
        "objectives:\n"
        '  - {id: uptime-month, metric: uptime, target: ">= 99.9%", window: month}\n'
        '  - {id: delivery-month, metric: packet_delivery, target: ">= 99.9%", window: month}\n'
        "endpoints: [{id: e, address: 192.0.2.1}]\n"
    )
    write(tmp_path, text, "agreements.d/acme.yaml")
    (acme,) = plan(tmp_path, "agreements_dir: agreements.d").agreements
    rule = acme.endpoints[0].uptime
    assert (rule.profile, rule.method, rule.n, rule.interval_ns) == ("custom", "sliding", 10, 60 * SECOND)
    assert acme.measurement.min_coverage == Fraction(95, 100)
    assert acme.hours.weekly == tuple((day, 480, 1080) for day in range(5))
    assert acme.credits is not None
    bases = [rule.basis for rule in acme.credits.rules]
    assert bases == ["availability", "cumulative_downtime", "per_outage", "days_per_started_hour", "per_step"]
    assert len(acme.credits.chronic) == 2
    assert load_agreement(tmp_path / "agreements.d/acme.yaml") == acme


def test_everything_has_a_default(tmp_path: Path) -> None:
    found = plan(tmp_path, AGREEMENT)
    assert found.agent.name == socket.gethostname()
    assert found.agent.state_dir == "/var/lib/netsla"
    assert found.agent.socket == "/run/netsla/netsla.sock"
    assert found.web.listen == (("127.0.0.1", 9469),)
    assert found.mqtt is None
    assert found.references == ()
    (ping,) = found.agreements[0].endpoints[0].probes
    assert (ping.name, ping.type, ping.interval_ns, ping.timeout_ns) == ("ping", ProbeType.ICMP, SECOND, 3 * SECOND)


def test_keys_without_value_are_as_good_as_none(tmp_path: Path) -> None:
    found = plan(tmp_path, f"agent:\nweb:\n  listen:\nmqtt:\nreferences:\nprobes:\nplans:\n{AGREEMENT}")
    assert found == plan(tmp_path, AGREEMENT)


def test_relative_paths_belong_to_the_file_not_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    write(tmp_path, "agent: {state_dir: ../var, socket: run/s.sock}\n" + AGREEMENT, "etc/netsla.yaml")
    found, _ = load(tmp_path / "etc/netsla.yaml")
    assert found.agent.state_dir == str(tmp_path / "var")
    assert found.agent.socket == str(tmp_path / "etc/run/s.sock")
    monkeypatch.chdir(tmp_path)
    assert load(Path("etc/netsla.yaml"))[0] == found


def test_agreements_dir_takes_yaml_in_order_and_leaves_the_rest(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", ".hidden.yaml", "notes.txt", "c.yaml.bak"):
        write(tmp_path, f"id: {name[0]}\nendpoints: [{{id: e, address: 192.0.2.1}}]\n", f"d/{name}")
    found = plan(tmp_path, "agreements_dir: d\nagreements: [{id: z, endpoints: [{id: e, address: 192.0.2.2}]}]\n")
    assert [agreement.id for agreement in found.agreements] == ["z", "a", "b"]
    assert found.files == tuple(str(tmp_path / name) for name in ("netsla.yaml", "d/a.yaml", "d/b.yml"))


def test_nothing_to_measure_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    assert warnings(tmp_path, "agreements_dir: d\n") == [
        "netsla.yaml:1:17: warning: no agreement in d: nothing is measured (add a *.yaml file)"
    ]
    assert len(warnings(tmp_path, "agreements: []\n")) == 1


def test_all_mistakes_at_once_in_order_of_files_and_lines(tmp_path: Path) -> None:
    write(
        tmp_path,
        "id: b\nplan: gold\nendpoints: [{id: e, address: 1.2.3}, {id: e, address: 192.0.2.1, probe: x}]\n",
        "d/b.yaml",
    )
    write(tmp_path, "id: c\ntimezone: Mars\nendpoints: [{id: g, addresses_file: g.csv}]\n", "d/c.yaml")
    write(tmp_path, "id,address\nx,1.2.3\ny y,192.0.2.1\n", "d/g.csv")
    text = """\
        agent: {nmae: a}
        probes:
          ping: {type: icmp, interval: 60}
          web: {type: tcp}
        plans:
          gold:
            probes: [ping, wbe]
            objectives:
              - {id: a, metric: uptime, target: ">= 99.9", window: month}
              - {id: b, metric: jitter, target: "<= 5ms", window: hourly}
        agreements_dir: d
        references: [{address: gate way}]
        """
    told = [line.split(" (")[0] for line in mistakes(tmp_path, text)]
    assert told == [
        "netsla.yaml:1:9: unknown key 'nmae'",
        "netsla.yaml:3:32: interval: 60 has no unit",
        "netsla.yaml:4:8: probe 'web' of type tcp has no port",
        "netsla.yaml:7:20: unknown probe 'wbe'",
        "netsla.yaml:9:41: target: 99.9 has no unit",
        "netsla.yaml:10:59: window: 'hourly' is not a window",
        "netsla.yaml:12:24: address: 'gate way' is neither an IP address nor a host name",
        "d/b.yaml:3:30: address: '1.2.3' is not a valid IP address",
        "d/b.yaml:3:43: endpoint 'e' is there already, at d/b.yaml:3:18",
        "d/b.yaml:3:66: unknown key 'probe'",
        "d/c.yaml:2:11: timezone: 'Mars' is no IANA zone",
        "d/g.csv:2:3: '1.2.3' is not a valid IP address",
        "d/g.csv:3:1: 'y y' cannot be an id",
    ]


def test_a_wrong_plan_is_told_once_however_many_use_it(tmp_path: Path) -> None:
    users = "".join(f"  - {{id: a{i}, plan: p, endpoints: [{{id: e, address: 192.0.2.1}}]}}\n" for i in range(20))
    text = "plans: {p: {uptime: {feed: web}}}\nagreements:\n" + users
    assert mistakes(tmp_path, text) == ["netsla.yaml:1:28: feed: no probe 'web' here (known: all, any, ping)"]


def test_a_plan_that_nobody_uses_is_read_all_the_same(tmp_path: Path) -> None:
    (line,) = mistakes(tmp_path, "plans: {p: {probes: [ping], uptime: {feed: web}}}\n" + AGREEMENT)
    assert line.startswith("netsla.yaml:1:44: feed: no probe 'web' here")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "nowhere.yaml")


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "netsla.yaml").write_bytes(b"agent:\n  name: M\xfcnchen\n")
    with pytest.raises(ConfigError, match=r"netsla\.yaml:2:10: not valid UTF-8"):
        load(tmp_path / "netsla.yaml")


def test_references(tmp_path: Path) -> None:
    text = 'references: [{address: "2001:db8::1"}, {address: gw.example, name: up, probe: {type: tcp, port: 53}}]\n'
    first, second = plan(tmp_path, text + AGREEMENT).references
    assert (first.name, first.spec.type, first.spec.interval_ns) == ("2001_db8__1", ProbeType.ICMP, SECOND)
    assert (second.name, second.spec.type, second.spec.port) == ("up", ProbeType.TCP, 53)


def test_mqtt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_PASS", "s3cret")
    text = "mqtt: {url: mqtt://b.example, username: u, password: '${BROKER_PASS}', version: 3.1.1, prefix: isp/sla}\n"
    found = plan(tmp_path, text + AGREEMENT).mqtt
    assert found is not None
    assert (found.host, found.port, found.tls, found.version, found.prefix) == ("b.example", 1883, False, 4, "isp/sla")
    assert found.password == Secret("s3cret")


def test_shipped_files_load_without_a_warning() -> None:
    for name in ("netsla.yaml", "quickstart.yaml"):
        found, advice = load(ROOT / "config" / name)
        assert found.agreements
        assert advice == []


def test_quickstart_needs_nothing_but_this_host() -> None:
    found, _ = load(ROOT / "config" / "quickstart.yaml")
    assert found.mqtt is None
    assert found.agent.state_dir == str(ROOT / "var")
    assert found.agent.socket == str(ROOT / "var" / "netsla.sock")
    (agreement,) = found.agreements
    asked = {(e.address, spec.type, spec.port) for e in agreement.endpoints for spec in e.probes}
    assert asked == {
        ("127.0.0.1", ProbeType.ICMP, None),
        ("::1", ProbeType.ICMP, None),
        ("127.0.0.1", ProbeType.TCP, found.web.listen[0][1]),
    }
    promised = {(o.metric, o.window.name) for e in agreement.endpoints for o in e.objectives}
    assert {window for _, window in promised} == {"5m", "1h", "24h"}
    assert {metric for metric, _ in promised} == {Metric.UPTIME, Metric.PACKET_DELIVERY, Metric.LATENCY}


def test_load_agreement_alone(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """\
        id: pack
        probes: [ping, https]
        objectives:
          - {id: up, metric: uptime, target: ">= 99.999%", window: month}
          - {id: d, metric: packet_delivery, target: ">= 99%", window: month, probe: ping}
        endpoints: [{id: e}]
        """,
        "agreement.yaml",
    )
    found = load_agreement(path)
    (endpoint,) = found.endpoints
    assert [(spec.name, spec.type) for spec in endpoint.probes] == [("ping", ProbeType.ICMP), ("https", ProbeType.TCP)]
    assert endpoint.address == ""


def test_load_agreement_takes_the_probes_its_objectives_name(tmp_path: Path) -> None:
    promise = '{id: d, metric: packet_delivery, target: ">= 99%", window: day, probe: icmp4}'
    text = f"id: p\nobjectives: [{promise}]\nendpoints: [{{id: e}}]\n"
    assert [s.name for s in load_agreement(write(tmp_path, text)).endpoints[0].probes] == ["icmp4"]


def test_load_agreement_reports_mistakes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_agreement(write(tmp_path, "id: p\ntimezone: Mars\nendpoints: [{id: e, adress: x}]\n"))
    assert len(caught.value.faults) == 2


def test_import_is_light() -> None:
    code = "import sys, netsla.config; print('pydantic' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_fifty_thousand_endpoints_load_quickly(tmp_path: Path) -> None:
    lines = (f"e{i},10.{i >> 16}.{i >> 8 & 255}.{i & 255},site=s{i}" for i in range(1, 50_001))
    write(tmp_path, "id,address,labels\n" + "\n".join(lines), "many.csv")
    before = os.times()
    found = plan(tmp_path, "agreements: [{id: a, endpoints: [{id: g, addresses_file: many.csv}]}]\n")
    after = os.times()
    endpoints = found.agreements[0].endpoints
    assert len(endpoints) == 50_000
    assert endpoints[0].probes is endpoints[-1].probes
    assert after.user - before.user < 4  # seconds of CPU; 0.6 on the reference machine


# --- the loader raises nothing but ConfigError -----------------------------------------------------

QUIET = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _faults(read: Callable[[Path], object], path: Path) -> tuple[Fault, ...] | None:
    """What is wrong, None when nothing is."""
    try:
        read(path)
    except ConfigError as error:
        return error.faults
    return None


def _only_config_error(folder: Path, text: str) -> None:
    path = folder / "netsla.yaml"
    path.write_text(text, "utf-8", errors="surrogatepass")
    for read in (load, load_agreement):
        faults = _faults(read, path)
        assert faults != ()
        assert all(fault.line >= 1 and fault.column >= 1 and fault.problem for fault in faults or ())


@QUIET
@given(text=st.text())
def test_any_text(tmp_path: Path, text: str) -> None:
    _only_config_error(tmp_path, text)


@QUIET
@given(text=st.text(alphabet="ab:{}[],&*!|>-'\"# \n\t%@`?~<0", max_size=60))
def test_any_yaml_like_text(tmp_path: Path, text: str) -> None:
    _only_config_error(tmp_path, text)


def _words() -> list[str]:
    """Keys and values that mean something somewhere."""
    text = "".join(path.read_text("utf-8") for path in (ROOT / "config").rglob("*.yaml"))
    cleaned = "".join(c if c in string.ascii_letters + string.digits + "-_.:%<>=/" else " " for c in text)
    return sorted({word.strip(":") for word in cleaned.split()} - {""})


def test_a_reload_waits_for_no_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "netsla.yaml")
    with pytest.raises(ConfigError, match="not a regular file"):
        load(tmp_path / "netsla.yaml", again=True)


def test_a_pipe_among_the_agreements_is_a_mistake(tmp_path: Path) -> None:
    path = write(tmp_path, "agreements_dir: agreements.d")
    (tmp_path / "agreements.d").mkdir()
    os.mkfifo(tmp_path / "agreements.d" / "a.yaml")
    with pytest.raises(ConfigError, match=r"1:17: cannot read .*a\.yaml: not a regular file"):
        load(path)


WORDS = st.sampled_from(_words())
LEAVES = WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
VALUES = st.recursive(LEAVES, lambda s: st.lists(s, max_size=4) | st.dictionaries(WORDS, s, max_size=6), max_leaves=40)


@QUIET
@given(value=st.dictionaries(WORDS, VALUES, max_size=6))
def test_any_yaml_of_known_words(tmp_path: Path, value: object) -> None:
    _only_config_error(tmp_path, yaml.safe_dump(value))


def _paths(node: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(below for key, value in items for below in _paths(value, (*path, key)))]


SHIPPED = [yaml.safe_load(path.read_text("utf-8")) for path in sorted((ROOT / "config").rglob("*.yaml"))]


@QUIET
@given(data=st.data())
def test_any_one_value_of_a_good_file_replaced(tmp_path: Path, data: st.DataObject) -> None:
    shutil.copytree(ROOT / "config" / "agreements.d", tmp_path / "agreements.d", dirs_exist_ok=True)
    root = yaml.safe_load(yaml.safe_dump(data.draw(st.sampled_from(SHIPPED))))
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from(_paths(root)))
        holder = root
        for key in path[:-1]:
            holder = holder[key]
        if path:
            holder[path[-1]] = data.draw(VALUES)
    _only_config_error(tmp_path, yaml.safe_dump(root, sort_keys=False))

"""The comparison as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evaluation.bench.serving.targets import judge

_NONE = "–"
_SMALL = 10

Tree = Mapping[str, Any]


def to_markdown(tree: Tree, *, pictures: Sequence[str]) -> str:
    """The whole page; ``pictures`` lie beside it."""
    parts = [
        _head(tree),
        _targets(tree),
        _servers(tree),
        _loads(tree),
        _alone(tree),
        _overload(tree),
        _install(tree),
        _drawn(pictures),
        _run(tree),
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


def number(value: float) -> str:
    """Three digits that count; whole numbers from 100 on."""
    return f"{value:.0f}" if abs(value) >= _SMALL**2 else f"{value:.3g}"


def figure(found: Mapping[str, float] | None) -> str:
    """A figure with its interval."""
    if not found:
        return _NONE
    if found["low"] == found["high"]:
        return number(found["value"])
    return f"{number(found['value'])} [{number(found['low'])}, {number(found['high'])}]"


def _head(tree: Tree) -> Iterator[str]:
    count = tree["run"]["plan"]["repeats"]
    repeats = "1 repeat" if count == 1 else f"{count} repeats"
    yield "# The service beside other ways to serve the same work"
    yield ""
    yield (
        f"{repeats}; in each, every server was measured next to Yingda, one after the other, on the same messages, with "
        "the other one halted. Every server had one core, the load generator another. CPU time is that of the server's whole process "
        "tree, from /proc. Brackets: 95 % interval, bootstrap over repeats. Ratios are of Yingda to the other."
    )
    if tree["run"]["quick"]:
        yield ""
        yield "**A quick run: it shows that everything works, not how fast it is.**"


def _targets(tree: Tree) -> Iterator[str]:
    yield from ("", "## Targets", "", "| id | what | target | reached | worse end | |", "|---|---|--:|--:|--:|---|")
    for reached in judge(tree):
        target = reached.target
        side = "≥" if target.at_least else "≤"
        shown = [_NONE if value is None else number(value) for value in (reached.value, reached.end)]
        verdict = "not measured" if reached.met is None else "met" if reached.met else "missed"
        yield f"| {target.id} | {target.what} | {side} {number(target.limit)} | {' | '.join(shown)} | {verdict} |"


def _servers(tree: Tree) -> Iterator[str]:
    yield from (
        "",
        "## Saturated",
        "",
        "Sixteen connections that ask again once they are answered; fresh messages, none twice, but for `echo`.",
        "",
    )
    yield "| server | replies/s | CPU ms a reply | replies a CPU second | errors | Yingda: replies a CPU second, × | Yingda: replies/s, × |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for each in (tree["yingda"], *tree["servers"]):
        if "cpu_ms" in each:
            cells = [figure(each.get(name)) for name in ("replies_s", "cpu_ms", "replies_per_cpu_s")]
            ratios = [figure(each.get(name)) for name in ("replies_per_cpu_ratio", "replies_ratio")]
            yield f"| {each['name']} | {' | '.join(cells)} | {each['errors']} | {' | '.join(ratios)} |"


def _loads(tree: Tree) -> Iterator[str]:
    yield from (
        "",
        "## At equal load",
        "",
        "Open loop, at a share of the capacity of the weaker one of each pair; milliseconds from when a request was due.",
        "",
    )
    yield "| server | share | requests/s | its p50 | its p99 | Yingda's p50 | Yingda's p99 | p99, × | errors |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    for each in tree["servers"]:
        for share, load in each.get("loads", {}).items():
            theirs, ours = load["peer_ms"], load["yingda_ms"]
            cells = [figure(theirs.get("p50")), figure(theirs.get("p99")), figure(ours.get("p50")), figure(ours.get("p99"))]
            errors = f"{theirs['errors']} / {ours['errors']}"
            place = f"{each['name']} | {100 * float(share):.0f} % | {figure(load['rate'])}"
            yield f"| {place} | {' | '.join(cells)} | {figure(load['p99_ratio'])} | {errors} |"


def _alone(tree: Tree) -> Iterator[str]:
    ours = tree["yingda"]
    if "loops" not in ours:
        return
    loops = ours["loops"]
    yield from ("", "## Yingda alone", "", "| what | figure |", "|---|--:|")
    for name, what in (("idle_ms", "idle, fresh message"), ("repeated_ms", "idle, repeated message")):
        yield f"| {what}: p50 ms | {figure(ours[name].get('p50'))} |"
        yield f"| {what}: p99 ms | {figure(ours[name].get('p99'))} |"
    yield f"| 60 % repeats, saturated: replies a CPU second | {figure(ours['mixed']['replies_per_cpu_s'])} |"
    yield f"| replies to repeats compared with the first reply / wrong | {ours['cache']['compared']} / {ours['cache']['wrong']} |"
    yield f"| bare encoder loop: CPU ms a message | {figure(loops['encoder_cpu_ms'])} |"
    yield f"| engine without HTTP: CPU ms a message | {figure(loops['engine_cpu_ms'])} |"
    yield f"| served, beyond the engine: CPU µs a reply | {figure(loops['http_cpu_us'])} |"
    yield f"| end to end as a share of the bare encoder loop | {figure(loops['share_of_encoder'])} |"


def _overload(tree: Tree) -> Iterator[str]:
    found = tree["yingda"].get("overload")
    if not found:
        return
    yield from ("", "## Overload", "", "Fresh messages at a multiple of the peak; a few probes beside them read every header.", "")
    yield "| load | requests/s | goodput | refused | refusal p50 ms | p99 ms | lost | refused probes / no Retry-After | recovery s |"
    yield "|--:|--:|--:|---|--:|--:|--:|--:|--:|"
    for factor, load in found.items():
        refused = ", ".join(f"{count} × {status}" for status, count in load["refusals"].items()) or "none"
        cells = [
            figure(load["rate"]),
            figure(load["goodput_share"]),
            refused,
            figure(load["refusal_p50_ms"]),
            figure(load["refusal_p99_ms"]),
        ]
        probes = f"{load['probed_refusals']} / {load['without_retry_after']}"
        yield f"| {factor}× | {' | '.join(cells)} | {load['lost']} | {probes} | {figure(load['recovery_s'])} |"


def _install(tree: Tree) -> Iterator[str]:
    yield from (
        "",
        "## Installed, started, remembered",
        "",
        "| server | versions | packages | MiB | exec to first reply, s | memory (PSS) MiB | what | state |",
    )
    yield "|---|---|--:|--:|--:|--:|---|---|"
    for each in (tree["yingda"], *tree["servers"]):
        versions = ", ".join(f"{name} {version}" for name, version in each["versions"].items() if version) or _NONE
        size = _NONE if each["packages"] is None else f"{each['packages']} | {each['installed_mib']:.0f}"
        size = size if "|" in size else f"{_NONE} | {_NONE}"
        state = each["state"] if each["reason"] is None else f"{each['state']}: {each['reason']}"
        cells = (
            each["name"],
            versions,
            size,
            figure(each.get("cold_start_s")),
            figure(each.get("pss_mib")),
            each["note"],
            state.replace("|", "/"),
        )
        yield f"| {' | '.join(cells)} |"


def _drawn(pictures: Sequence[str]) -> Iterator[str]:
    for name in pictures:
        yield from ("", f"![{name.partition('.')[0].replace('-', ' ')}]({name})")


def _run(tree: Tree) -> Iterator[str]:
    run = tree["run"]
    machine = run["machine"]
    yield from ("", "## Run", "", "| | |", "|---|---|")
    yield f"| commit | {run['commit'] or _NONE} |"
    yield f"| machine | {machine['cores']} cores, {machine['processor']}, {' '.join(machine['flags']) or 'no known instruction sets'} |"
    yield f"| Python | {run['python']} |"
    yield f"| plan | {', '.join(f'{name} {value}' for name, value in run['plan'].items())} |"

"""The SDK's command line: classify, explain, catalog. Plain text, or JSON for programs."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from midspan.errors import InvalidValueError
from midspan.routing.chooser import Choice
from midspan.routing.energy import EnergyModel
from midspan.routing.objective import GOALS, Objective
from midspan.routing.route import Part, Route
from midspan_client.answer import Answer
from midspan_client.catalog import Catalog
from midspan_client.client import Client
from midspan_client.errors import MidspanClientError, UsageError

__all__ = ["main"]

TOKEN_VARIABLE = "MIDSPAN_TOKEN"  # noqa: S105  # the variable's name, not a token


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 done, 1 failed, 2 wrong usage."""
    args = _parser().parse_args(argv)
    try:
        with _client(args) as client:
            text = _COMMANDS[args.command](client, args)
    except (UsageError, InvalidValueError) as error:
        print(f"midspan_client: {error}", file=sys.stderr)
        return 2
    except MidspanClientError as error:
        print(f"midspan_client: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m midspan_client", description="Ask a Midspan server about photos.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    classify = commands.add_parser("classify", help="what is on the photo")
    explain = commands.add_parser("explain", help="the routes it could take, with predicted times; sends no photo")
    for command in (classify, explain, commands.add_parser("catalog", help="what the server offers")):
        command.add_argument("--url", default="http://127.0.0.1:8000", help="default: %(default)s")
        command.add_argument("--server", choices=("triton", "torchserve"), default="triton")
        command.add_argument("--transport", choices=("http", "grpc"), help="default: as the URL says")
        command.add_argument("--ca-file", help="PEM file of the authority to trust")
        command.add_argument("--timeout-s", type=float, default=10.0)
        command.add_argument("--store", type=Path, help="sqlite file for what is learned; default: nothing is kept")
        command.add_argument("--network", default="unknown", help="name of the network in use, such as its SSID")
        command.add_argument("--device", default="", help="label of this device in the store's log")
        command.add_argument("--json", action="store_true", help="JSON for programs")
    for command in (classify, explain):
        command.add_argument("photo", type=Path)
        command.add_argument("--variant", help="default: as the objective and the server say")
        command.add_argument("--goal", choices=GOALS, default="time")
        command.add_argument("--sla-s", type=float, help="the answer should be there after so many seconds")
        command.add_argument("--min-accuracy", type=float, help="wanted top-1, a fraction")
        command.add_argument("--s-per-joule", type=float, default=0.0, help="seconds that a joule is worth; default: 0")
    classify.add_argument("--top-k", type=int, default=5)
    parser.epilog = f"A token is read from the environment variable {TOKEN_VARIABLE}."
    return parser


def _client(args: argparse.Namespace) -> Client:
    decides = args.command != "catalog"
    return Client(
        args.url,
        server=args.server,
        objective=Objective(args.goal, args.sla_s, args.min_accuracy, args.s_per_joule) if decides else None,
        network=args.network,
        device=args.device,
        store=args.store,
        token=os.environ.get(TOKEN_VARIABLE) or None,
        ca_file=args.ca_file,
        timeout_s=args.timeout_s,
        transport=args.transport,
    )


def _classify(client: Client, args: argparse.Namespace) -> str:
    answer = client.classify(args.photo, variant=args.variant, top_k=args.top_k)
    return _json(_answer(answer, client.objective.energy)) if args.json else _answer_text(answer)


def _explain(client: Client, args: argparse.Namespace) -> str:
    choice = client.explain(args.photo, variant=args.variant)
    return _json(_choice(choice)) if args.json else _choice_text(choice)


def _catalog(client: Client, args: argparse.Namespace) -> str:
    catalog = client.catalog()
    return _json(asdict(catalog)) if args.json else _catalog_text(catalog)


_COMMANDS = {"classify": _classify, "explain": _explain, "catalog": _catalog}


def _answer(answer: Answer, energy: EnergyModel) -> dict[str, Any]:
    return {
        "label": answer.label,
        "predictions": [asdict(prediction) for prediction in answer.predictions],
        "variant": answer.variant,
        "route": _route(answer.route, energy),
        "reason": answer.reason,
        "measured": {**asdict(answer.measured), "total_s": answer.total_s},
        "bytes_up": answer.bytes_up,
        "attempts": answer.attempts,
        "degraded": answer.degraded,
        "warnings": list(answer.warnings),
        "report": answer.report,
    }


def _answer_text(answer: Answer) -> str:
    lines = [f"{prediction.score:8.3f}  {prediction.label}" for prediction in answer.predictions]
    predicted, measured = answer.predicted, answer.measured
    rows = [
        ["", "device ms", "send ms", "server ms", "total ms", "bytes up"],
        ["predicted", *_ms(predicted.device_s, predicted.send_s, predicted.server_s, predicted.total_s)],
        ["measured", *_ms(measured.device_s, measured.send_s, measured.server_s, answer.total_s)],
    ]
    rows[1].append(str(answer.route.bytes_up))
    rows[2].append(str(answer.bytes_up))
    lines += ["", f"route {answer.route.name}, variant {answer.variant}: {answer.reason or answer.degraded}"]
    lines += _table(rows)
    return "\n".join(lines + [f"warning: {warning}" for warning in answer.warnings])


def _choice(choice: Choice) -> dict[str, Any]:
    energy = choice.objective.energy
    return {
        "chosen": _route(choice.route, energy),
        "reason": choice.reason,
        "routes": [_route(route, energy) for route in choice.routes],
    }


def _choice_text(choice: Choice) -> str:
    names = list(dict.fromkeys(part.name for route in choice.routes for part in _parts(route)))
    names.sort(key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
    rows = [["", "route", "variant", *(f"{name} ms" for name in names), "total ms", "bytes up", "joules", "accuracy"]]
    for route in choice.routes:
        parts = {part.name: _uncertain(part.seconds, part.sd_s) for part in _parts(route)}
        cells = [*(parts.get(name, "-") for name in names), _uncertain(route.total_s, _sd_s(route))]
        accuracy = "?" if route.accuracy is None else f"{route.accuracy:.3f}"
        cells += [str(route.bytes_up), f"{choice.objective.energy.energy_j(route):.3g}", accuracy]
        name = f"{route.name} {route.codec}".rstrip()  # one route may come at several qualities
        rows.append(["*" if route is choice.route else "", name, route.variant, *cells])
    return "\n".join([*_table(rows), f"* {choice.reason}", "± one standard deviation of the expected error"])


_ORDER = ("device", "link", "prepare", "fixed")


def _parts(route: Route) -> tuple[Part, ...]:
    """What its seconds are made of; for a route that does not say, no more than the sums."""
    return route.parts or (Part("device", route.device_s), Part("link", route.send_s), Part("server", route.server_s))


def _sd_s(route: Route) -> float | None:
    """Of the whole, its parts taken for independent."""
    known = [part.sd_s for part in route.parts if part.sd_s is not None]
    return math.hypot(*known) if known and len(known) == len(route.parts) else None


def _uncertain(seconds: float, sd_s: float | None) -> str:
    return f"{seconds * 1e3:.1f}" + ("" if sd_s is None else f" ±{sd_s * 1e3:.1f}")


def _catalog_text(catalog: Catalog) -> str:
    rows = [["variant", "side px", "resize px", "classes", "MMACs", "accuracy", "run ms"]]
    for variant in catalog.variants:
        run = f"{variant.server_s['run'] * 1e3:.1f}" if "run" in variant.server_s else "?"
        accuracy = "?" if variant.accuracy is None else f"{variant.accuracy:.3f}"
        sizes = [str(variant.side_px), str(variant.resize_px), str(variant.classes), str(variant.macs // 10**6)]
        rows.append([variant.name, *sizes, accuracy, run])
    head = f"family {catalog.family}, default {catalog.default}, Midspan {catalog.midspan}"
    return "\n".join([head, *_table(rows)])


def _route(route: Route, energy: EnergyModel) -> dict[str, Any]:
    """All but the provider's own notes."""
    names = ("name", "provider", "variant", "cut", "codec", "bytes_up", "device_s", "send_s", "server_s", "accuracy")
    return {
        **{name: getattr(route, name) for name in names},
        "total_s": route.total_s,
        "energy_j": energy.energy_j(route),
        "parts": [asdict(part) for part in _parts(route)],
    }


def _ms(*seconds: float) -> list[str]:
    return [f"{value * 1e3:.1f}" for value in seconds]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _json(value: Any) -> str:
    def plain(other: Any) -> Any:
        return sorted(other) if isinstance(other, frozenset) else str(other)

    return json.dumps(value, indent=1, default=plain)

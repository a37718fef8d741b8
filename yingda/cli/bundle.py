"""``yingda bundle``: verify a bundle, put one in use, go back, and list those that were in use."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from yingda.assemble import open_engine
from yingda.bundle import open_bundle
from yingda.cli.releases import KEEP, Release, Releases
from yingda.domain.errors import BundleError

DEFAULT_LINK = "models/live"
PASSED = "passed"


def add_bundle(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``bundle`` to the commands."""
    actions = commands.add_parser("bundle", help="work with bundles").add_subparsers(required=True, metavar="COMMAND")
    verify = actions.add_parser("verify", help="check every file of a bundle against its manifest")
    verify.add_argument("path", type=Path, help="bundle folder")
    verify.set_defaults(command=verify_command)
    install = _parser(actions, "install", "copy a bundle beside the one in use, try it, and switch the link to it", install_command)
    install.add_argument("path", type=Path, help="bundle folder")
    install.add_argument("--anyway", action="store_true", help="install it though it did not pass the evaluation")
    install.add_argument("--keep", type=_count, default=KEEP, help="bundles before this one that stay on the disk, at least 1")
    _parser(actions, "rollback", "switch the link to the bundle that was in use before", rollback_command)
    _parser(actions, "list", "the bundles that were in use, oldest first; * marks the one in use now", list_command)


def verify_command(args: argparse.Namespace) -> None:
    """Check a bundle and say what it is."""
    bundle = open_bundle(args.path)
    sizes = [facts["bytes"] for facts in bundle.manifest["files"].values()]
    _say(f"{args.path}: version {bundle.identity.version}, {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB, all as in the manifest")
    _say(f"sha256 {bundle.identity.sha256}")


def install_command(args: argparse.Namespace) -> None:
    """Install a bundle; one that did not pass the evaluation, or does not answer, is refused, and the one in use stays."""
    if not args.anyway:
        _check_verdict(args.path)
    _say(f"in use: {_line(Releases(args.into).install(args.path, check=answers, keep=args.keep))}")


def rollback_command(args: argparse.Namespace) -> None:
    """Go back by one bundle."""
    _say(f"in use: {_line(Releases(args.into).roll_back(check=answers))}")


def list_command(args: argparse.Namespace) -> None:
    """One line a bundle."""
    for release in Releases(args.into).all():
        _say(f"{'*' if release.in_use else ' '} {_line(release)}")


def _check_verdict(path: Path) -> None:
    told = open_bundle(path).manifest.get("evaluation")
    verdict = told.get("verdict") if isinstance(told, dict) else None
    if verdict != PASSED:
        what = f"its evaluation {verdict}" if verdict else "its manifest tells of no evaluation"
        raise BundleError(f"{path}: {what}; install a bundle that passed (`make train` or a retraining makes one), or say --anyway")


def answers(folder: Path) -> None:
    """Open a bundle as the service does and let it decide its first messages; raises BundleError."""
    open_engine(folder).warm_up()


def _parser(actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, told: str, command: object) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=told)
    link = Path(os.environ.get("YINGDA_BUNDLE") or DEFAULT_LINK)
    parser.add_argument("--into", type=Path, default=link, help="the link that YINGDA_BUNDLE names; models/live by default")
    parser.set_defaults(command=command)
    return parser


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("keep one at least, to have a way back")
    return count


def _line(release: Release) -> str:
    return f"version {release.version}\tsha256 {release.sha256}\t{release.folder}"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")

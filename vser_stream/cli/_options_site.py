"""Where a site can be reached: the options that watch, ack, pause and resume share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ValidationError

from vser_stream.cli._options_agent import default
from vser_stream.config.complaints import complaints
from vser_stream.config.fields import Token
from vser_stream.config.loader import load
from vser_stream.config.schema import MqttConfig
from vser_stream.errors import UserError

__all__ = ["at_site", "reach"]


def reach(  # noqa: PLR0913 - an option is a parameter
    config: Annotated[
        Path | None,
        typer.Option(help="The agent's configuration: broker and site; default: as installed."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Broker, instead of the configuration's.")] = None,
    port: Annotated[int | None, typer.Option(help="Of --host; default: 1883, with --ca-file 8883.")] = None,
    site: Annotated[str | None, typer.Option(help="Site, instead of the configuration's.")] = None,
    username: Annotated[str | None, typer.Option(help="User name at the broker.")] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="File whose first line is your password.")
    ] = None,
    ca_file: Annotated[Path | None, typer.Option(help="TLS: CA certificate of the broker.")] = None,
) -> tuple[MqttConfig, str]:
    """The broker and the site; single options go before the configuration.

    Raises:
        UserError: Neither says where.
        ConfigError: The configuration cannot be used.
    """
    path = config or (None if host and site else default())
    settings = load(path) if path else None
    known = dict(settings.mqtt) if settings else {}
    name = site or (settings.site if settings else None)
    if name is None or not (host or known):
        raise UserError("no site given; use --config FILE, or --host and --site")
    if host:
        known |= {"host": host, "port": port or (8883 if ca_file else 1883)}
    if ca_file:
        known |= {"tls": True, "ca_file": ca_file}
    if username:
        known |= {"username": username, "password_file": password_file}
    given = {"site": name, "broker": known}
    try:
        checked = _Place.model_validate(given)
    except ValidationError as exc:
        raise UserError(complaints(exc, _Place, given)) from None
    return checked.broker, checked.site


class _Place(BaseModel):
    """What was given on the command line is as good as what stands in a file."""

    site: Token
    broker: MqttConfig


def at_site(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of :func:`reach`; its first arguments are the broker and the site."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[2:]
    shared = inspect.signature(reach, eval_str=True).parameters

    @functools.wraps(command)
    def with_options(**options: Any) -> None:
        broker, site = reach(**{name: options.pop(name) for name in shared})
        command(broker, site, **options)

    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *shared.values())]
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    return with_options

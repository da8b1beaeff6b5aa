"""Checks at every start for routes that FasterAPI 0.2.14 would serve wrongly without an error.

FasterAPI was seen to lose data or checks in each of these ways: a default for a body replaces an invalid body, one
annotation that can't be resolved drops all markers (authentication included), a generator dependency is injected raw,
two parameter names at one position of a path answer 500.
"""

import inspect
import re
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from FasterAPI import Depends, Request

_SEGMENT = re.compile(r"[A-Za-z0-9_.-]+|\{[a-z_]+\}")


def check_routes(routes: Iterable[tuple[str, str, Callable[..., Any]]]) -> list[str]:
    """Return one sentence per error in (method, path, handler) triples."""
    routes = list(routes)
    errors = list(_path_errors([(method, path) for method, path, _ in routes]))
    for method, path, handler in routes:
        names = set(re.findall(r"\{(\w+)\}", path))
        unused = sorted(names - set(inspect.signature(handler).parameters))
        errors += [f"{method} {path}: {error}" for error in _callable_errors(handler, names)]
        errors += [f"{method} {path}: the handler does not take {name!r}" for name in unused]
    return errors


def _path_errors(routes: list[tuple[str, str]]) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    children: dict[str, set[str]] = {}
    for method, path in routes:
        if (method, path) in seen:
            yield f"{method} {path}: registered twice; the last one would win"
        seen.add((method, path))
        parent = ""
        for segment in path.strip("/").split("/") if path != "/" else ():
            if not _SEGMENT.fullmatch(segment):
                yield f"{method} {path}: the router does not support the segment {segment!r}"
            children.setdefault(parent, set()).add(segment)
            parent += "/" + segment
    for parent, segments in children.items():
        parameters = sorted(segment for segment in segments if segment.startswith("{"))
        if len(parameters) > 1:
            yield f"{parent}/: one position has two names, {' and '.join(parameters)}"


def _callable_errors(function: Callable[..., Any], path_names: set[str]) -> Iterator[str]:
    if not inspect.iscoroutinefunction(function):
        yield "not a plain `async def`: it would block the event loop, or not be awaited"
        return
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception as error:
        yield f"annotations that can't be resolved ({error}) drop every marker, authentication included"
        return
    bodies = 0
    for name, parameter in inspect.signature(function).parameters.items():
        annotation = hints.get(name)
        markers = [marker for marker in getattr(annotation, "__metadata__", ()) if isinstance(marker, Depends)]
        if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
            yield f"{name!r} is not an ordinary parameter"
        elif parameter.default is not parameter.empty:
            yield f"{name!r} has a default, which would replace an invalid or missing value"
        elif markers:
            dependency = markers[0].dependency
            if dependency is None:
                yield f"{name!r}: Depends() without a function injects None"
            else:
                yield from (f"{name!r}: {error}" for error in _callable_errors(dependency, path_names))
        elif annotation is Request or (name in path_names and annotation is str):
            continue
        elif isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
            bodies += 1
        else:
            yield f"{name!r} must be a path parameter of type str, a Struct body, a Request, or Annotated Depends"
    if bodies > 1:
        yield "more than one body"

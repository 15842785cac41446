"""The description of the interface, in OpenAPI 3.1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeage import __version__
from edgeage.labels import AGE_GROUPS, GENDERS

if TYPE_CHECKING:
    from edgeage.streaming.web.settings import WebSettings

__all__ = ["describe"]

_RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
_REASONS = {
    "400": "the request is damaged",
    "401": "no token, or a wrong one",
    "403": "the request comes from another web site, or by a name this server does not go by",
    "404": "there is none here",
    "408": "the body did not come in time",
    "413": "the body is too large",
    "415": "the body is of a kind that is not taken",
    "422": "the body holds no picture that can be analysed",
    "429": "too many requests from this address",
    "500": "a defect of the server, or a model of it is missing",
    "503": "too many at once, or the device fails",
}


def describe(settings: WebSettings) -> dict[str, Any]:
    """Return the description of a server with these settings, as OpenAPI 3.1 has it."""
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "edgeage",
            "version": __version__,
            "description": "Age and gender of the faces in pictures and in a live stream.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(settings),
        "components": {"schemas": _SCHEMAS},
    }
    if settings.token is not None:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _paths(settings: WebSettings) -> dict[str, Any]:
    locked = ["401"] if settings.token is not None else []
    return {
        "/v1/predict": {"post": _predict(settings, locked)},
        "/v1/health": {
            "get": {
                "operationId": "health",
                "summary": "Whether the server works; to those who show the token also how.",
                "security": [],
                "responses": {
                    "200": _json("It works.", "Health"),
                    **_refusals("403"),
                    "503": _json("The device failed within the last minute.", "Health"),
                },
            }
        },
        "/v1/session": {"post": _sign_in(), "delete": _sign_out()},
        "/v1/stream": _watching(
            "stream", "The annotated picture, each change a JPEG.", "multipart/x-mixed-replace",
            locked,
        ),
        "/v1/events": _watching(
            "events", "The stream's events, one JSON document each (server-sent events).",
            "text/event-stream", locked,
        ),
        "/metrics": {
            "get": {
                "operationId": "metrics",
                "summary": "Figures for Prometheus.",
                "responses": {
                    "200": _content("The figures.", "text/plain"),
                    **_refusals("403", *locked),
                },
            }
        },
        "/openapi.json": {
            "get": {
                "operationId": "openapi",
                "summary": "This description.",
                "responses": {
                    "200": {
                        "description": "OpenAPI 3.1.",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    },
                    **_refusals("403", *locked),
                },
            }
        },
        "/": {
            "get": {
                "operationId": "page",
                "summary": "The page.",
                "security": [],
                "responses": {
                    "200": _content("HTML.", "text/html"),
                    "304": {"description": "The browser has it already."},
                    **_refusals("403"),
                },
            }
        },
    }  # fmt: skip


def _predict(settings: WebSettings, locked: list[str]) -> dict[str, Any]:
    binary = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "required": ["image"],
        "properties": {"image": binary},
    }
    raw = {"schema": {**binary, "minLength": 1}}
    refused = ("400", "403", "408", "413", "415", "429", "500", "503")
    return {
        "operationId": "predict",
        "summary": "Age and gender of the faces in one picture.",
        "description": (
            f"AVIF, BMP, GIF, JPEG, JPEG 2000, PNG, PNM, TIFF or WebP of at most "
            f"{settings.max_body_bytes:,} bytes and {settings.max_pixels:,} pixels, as a form with "
            f"one file or as the body. The picture is "
            + ("stored on the server." if settings.save else "not stored.")
        ),
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": form},
                "image/*": raw,
                "application/octet-stream": raw,
            },
        },
        "responses": {
            "200": _json("The picture's faces, as «edgeage infer --json» has them.", "Result"),
            "422": _json("There is no picture, or it cannot be analysed.", "Refusal"),
            **_refusals(*refused, *locked),
        },
    }


def _sign_in() -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["token"],
        "properties": {"token": {"type": "string"}},
    }
    return {
        "operationId": "signIn",
        "summary": "Give the page its cookie for the token, for twelve hours.",
        "security": [],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        },
        "responses": {
            "204": {"description": "Signed in; without a token there is nothing to do."},
            **_refusals("400", "401", "403", "408", "413", "415", "422", "503"),
        },
    }


def _sign_out() -> dict[str, Any]:
    return {
        "operationId": "signOut",
        "summary": "Take the page's cookie away.",
        "security": [],
        "responses": {"204": {"description": "Signed out."}, **_refusals("403")},
    }


def _watching(name: str, summary: str, media_type: str, locked: list[str]) -> dict[str, Any]:
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "responses": {
                "200": _content("Until the viewer leaves or the stream is over.", media_type),
                **_refusals("403", "404", "503", *locked),
            },
        }
    }


def _json(description: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


def _content(description: str, media_type: str) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": {"type": "string"}}}}


def _refusals(*codes: str) -> dict[str, Any]:
    found = {}
    for code in codes:
        found[code] = _json(f"Refused: {_REASONS[code]}.", "Refusal")
        if code in ("429", "503"):
            found[code] = {**found[code], "headers": _RETRY}
    return found


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


_SHARE = {"type": "number", "minimum": 0, "maximum": 1.0001}
_FACE = {
    "box": {
        "description": "Left, top, right, bottom in pixels of the upright picture.",
        "type": "array", "items": {"type": "integer"}, "minItems": 4, "maxItems": 4,
    },
    "age": _or_null({"type": "number", "description": "Years."}),
    "age_interval": _or_null(
        {
            "type": "array",
            "items": {"type": "number"},
            "minItems": 2,
            "maxItems": 2,
            "description": "Years, lowest and highest, that four of five such faces' ages are in.",
        }
    ),
    "age_group": _or_null({"type": "string", "examples": list(AGE_GROUPS)}),
    "age_group_probability": _or_null(_SHARE),
    "age_probabilities": {"type": "array", "items": _SHARE},
    "gender": _or_null({"type": "string", "examples": [*GENDERS, "unknown"]}),
    "gender_probability": _or_null(_SHARE),
    "device": {"type": "string", "description": "Where the networks ran."},
    "latency_ms": {"type": "number", "minimum": 0},
    "score": _or_null({"type": "number", "description": "How sure the detector is."}),
    "landmarks": {
        "type": "array",
        "items": {
            "type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2,
        },
    },
    "detected": {
        "type": "boolean", "description": "False where the whole picture was taken as the face.",
    },
}  # fmt: skip
_SCHEMAS = {
    "Face": {
        "type": "object",
        "required": list(_FACE),
        "properties": _FACE,
        "additionalProperties": False,
    },
    "Result": {
        "type": "object",
        "required": ["image", "faces"],
        "properties": {
            "image": {"type": "string", "description": "The file's name, or «<bytes>»."},
            "faces": {"type": "array", "items": {"$ref": "#/components/schemas/Face"}},
            "note": {"type": "string", "description": "What is to be said of the faces besides."},
        },
        "additionalProperties": False,
    },
    "Refusal": {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "string"}, "image": {"type": "string"}},
        "additionalProperties": False,
    },
    "Health": {
        "type": "object",
        "required": ["status", "authorized"],
        "properties": {
            "status": {"type": "string", "enum": ["ok", "failing"]},
            "authorized": {"type": "boolean", "description": "Whether the token was shown."},
            "version": {"type": "string"},
            "device": {"type": "string"},
            "models": {"type": "array", "items": {"type": "string"}},
            "live": {"type": "boolean", "description": "Whether there is a live stream."},
            "token": {"type": "boolean", "description": "Whether a token is wanted."},
            "stores": {"type": "boolean", "description": "Whether pictures are stored."},
            "max_body_bytes": {"type": "integer"},
            "waiting": {"type": "integer", "description": "Pictures that wait."},
            "uptime_s": {"type": "number"},
            "error": {"type": "string", "description": "What the device failed with."},
        },
        "additionalProperties": False,
    },
}

"""Every way the API says no: problem details after RFC 9457, and the one table from our errors to statuses."""

from collections.abc import Sequence
from http import HTTPStatus

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from domain.errors import ConcurrentUpdate, InvalidInput, NoChampion, TripcastError, UnknownVersion, Unreachable
from schemas.http.problems import MEDIA_TYPE, TYPE_PREFIX, FieldProblem, Problem

RETRY_SECONDS = 1
MOST_ERRORS = 20  # of one request; what else is wrong with it shows when these are repaired

# The nearest ancestor of an error decides; what is not here is our own mistake and becomes a 500 without a word of it.
STATUSES: dict[type[TripcastError], tuple[int, str, str]] = {
    InvalidInput: (422, "invalid-request", "The request cannot be used as it is"),
    UnknownVersion: (404, "not-found", "There is no such thing"),
    ConcurrentUpdate: (409, "busy", "Another process makes the same change"),
    NoChampion: (503, "no-champion", "No model can answer yet"),
    Unreachable: (503, "unreachable", "Something that is needed does not answer"),
}
SLUGS = {400: "bad-request", 404: "not-found", 405: "method-not-allowed", 413: "too-large", 415: "unsupported-media-type"}
DETAILS = {
    404: "Nothing is at this address; GET /openapi.json lists what is.",
    405: "This address does not take that method.",
    413: "The request body is larger than the limit.",
}
HIDDEN = "The reason is in the log under this request's id."


class ApiProblem(Exception):
    """An answer that is not 2xx. `slug` names its kind for programs, for ever; `detail` is a sentence for a person."""

    def __init__(
        self,
        status: int,
        slug: str,
        title: str,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        *,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.slug, self.title, self.detail = status, slug, title, detail
        self.errors, self.retry_after = tuple(errors[:MOST_ERRORS]), retry_after


def invalid(detail: str, errors: Sequence[FieldProblem] = ()) -> ApiProblem:
    """A request that is wrong in itself."""
    return ApiProblem(422, "invalid-request", "The request cannot be used as it is", detail, errors)


def too_large(limit: int) -> ApiProblem:
    """A request body over the limit, bytes."""
    return ApiProblem(413, "too-large", "The request is too large", f"A request body may have {limit} bytes at most.")


def overloaded(detail: str, retry_after: int = RETRY_SECONDS) -> ApiProblem:
    """Refused rather than absorbed."""
    return ApiProblem(503, "overloaded", "Too much at once", detail, retry_after=retry_after)


def problem_of(error: Exception) -> ApiProblem:
    """What to answer for an error of ours, of the framework, or for one that nobody foresaw."""
    if isinstance(error, ApiProblem):
        return error
    if isinstance(error, HTTPException):
        return _of_status(error.status_code)
    for kind in type(error).__mro__:
        if kind in STATUSES:
            status, slug, title = STATUSES[kind]
            retry = RETRY_SECONDS if status == HTTPStatus.SERVICE_UNAVAILABLE else None
            return ApiProblem(status, slug, title, _sentence(str(error)), retry_after=retry)
    return ApiProblem(500, "internal", "A mistake of ours", HIDDEN)


def response_of(problem: ApiProblem, request_id: str | None) -> Response:
    """Its response; `request_id` as in the log."""
    content = Problem(
        type=TYPE_PREFIX + problem.slug,
        title=problem.title,
        status=problem.status,
        detail=problem.detail,
        instance=request_id,
        errors=problem.errors,
        retry_after_seconds=problem.retry_after,
    )
    headers = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(msgspec.json.encode(content), problem.status, headers, MEDIA_TYPE)


def handle_problems(app: FastAPI) -> None:
    """Answer every error with a problem."""
    for kind in (ApiProblem, TripcastError, HTTPException):
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(RequestValidationError, _answer_invalid)


async def _answer(request: Request, error: Exception) -> Response:
    response = response_of(problem_of(error), request_id_of(request))
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response


async def _answer_invalid(request: Request, error: Exception) -> Response:
    """FastAPI judged a parameter."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    problems = [
        FieldProblem(pointer=str(each["loc"][-1]), reason="invalid_parameter", detail=_sentence(each["msg"])) for each in found
    ]
    detail = f"{problems[0].pointer}: {problems[0].detail}" if problems else "A parameter is wrong."
    return response_of(invalid(detail, problems), request_id_of(request))


def request_id_of(request: Request) -> str | None:
    """The id that the log and the answer name."""
    found: str | None = request.scope.get("state", {}).get("request_id")
    return found


def _of_status(status: int) -> ApiProblem:
    phrase = HTTPStatus(status).phrase
    return ApiProblem(status, SLUGS.get(status, f"status-{status}"), phrase, DETAILS.get(status, f"{phrase}."))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")

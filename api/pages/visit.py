"""One request for a page: cookies and a form enter, the handler runs with a token for the API, HTML leaves.

Every page comes through here: who is not signed in is asked to, a form without its proof is refused, what the API
refuses becomes a page that says what to do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs, quote
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.deps import client_address
from api.pages.client import PASSWORD_OWED, Api, Refused, plain_id
from api.pages.render import HEADERS, render
from api.pages.session import RENEW_BEFORE_SECONDS, Forms, Renewals, Session, Site, set_cookie
from api.state import app_state

FORM_FIELDS_MAX: Final = 50
FORM_SECONDS: Final = 14 * 86_400
# What a reader can do about it, by the status that the API gave.
Advice = tuple[str, str, str, str]
"""What happened and what to do, each in Chinese and English."""
ADVICE: Final[dict[int, Advice]] = {
    403: (
        *("您没有查看或操作此项的授权", "You may not see or do this"),
        *("如需要，请联系机构登记同意", "Ask the home to note a consent"),
    ),
    404: (
        *("没有找到", "Not found"),
        *("链接可能已失效，或授权已撤回；请回首页再试", "The link may be old, or a consent was withdrawn"),
    ),
    409: ("状态已变化", "It has changed", "请回到上一页刷新后再试", "Go back, reload and try again"),
    422: ("内容无法识别", "That could not be understood", "请回到上一页检查后再试", "Go back, check and try again"),
    429: ("操作过于频繁", "Too many attempts", "请稍候几分钟再试", "Wait a few minutes and try again"),
    503: (
        *("服务暂时不可用", "Not available at the moment"),
        *("请稍后刷新；紧急情况请直接拨打机构电话或 120", "Reload in a moment; in an emergency call the home or 120"),
    ),
}
_BROKEN: Final[Advice] = (
    *("页面出错了", "Something went wrong"),
    *("请稍后再试；紧急情况请直接致电机构", "Try again later; in an emergency call the home"),
)
_OLD_FORM: Final[Advice] = (
    *("页面已过期", "This page is too old"),
    *("请返回上一页，刷新后再提交", "Go back, reload and send it again"),
)


@dataclass(slots=True)
class Visit:
    """What a handler works with."""

    request: Request
    site: Site
    api: Api
    session: Session | None
    seed: str
    form: dict[str, str] = field(default_factory=dict)
    fresh: bool = False
    """Whether the session's cookie must be written."""
    gone: bool = False

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(app_state(self.request).settings.timezone)

    @property
    def now(self) -> datetime:
        return app_state(self.request).clock.now()

    @property
    def forms(self) -> Forms:
        return Forms(app_state(self.request).settings.require_token_key(), self.site)

    def query(self, name: str, default: str = "") -> str:
        return self.request.query_params.get(name, default)[:512]

    def id(self, name: str) -> str:
        """A parameter of the path that is an id. Raises Refused."""
        return plain_id(str(self.request.path_params[name]))

    def page(self, template: str, status: int = 200, **words: Any) -> Response:
        """A page of this site; `problem` in the words says why a form was refused."""
        defaults = {
            "prefix": self.site.prefix, "zone": self.zone, "now": self.now, "proof": self.forms.proof(self.seed),
            "signed_in": self.session is not None, "problem": None, "form": self.form, "refresh_seconds": 0,
            "path": self.request.url.path,
        }  # fmt: skip
        return render(template, status, **{**defaults, **words})

    def go(self, path: str) -> Response:
        """On to another page of this site, by GET."""
        return RedirectResponse(self.site.own_path(path), status_code=303, headers=dict(HEADERS))

    def enter(self, session: Session | None) -> None:
        """From now on this session, or none; forms of before are worth nothing."""
        self.session, self.fresh, self.gone = session, session is not None, session is None
        self.seed = Forms.seed()


Handler = Callable[[Visit], Awaitable[Response]]


def page_of(site: Site, *, open_: bool = False) -> Callable[[Handler], Callable[[Request], Awaitable[Response]]]:
    """A handler as an endpoint. open_: also for whoever is not signed in."""

    def wrap(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            visit = await _visit(request, site)
            try:
                response = await _answer(visit, handler, open_=open_)
            except Refused as refused:
                response = _refused(visit, refused)
            return _with_cookies(visit, response)

        endpoint.__name__ = f"{site.prefix.strip('/')}_{handler.__name__}"
        endpoint.__doc__ = handler.__doc__
        return endpoint

    return wrap


async def _visit(request: Request, site: Site) -> Visit:
    api = Api(request.app, client_address(request), request.state.request_id)
    session = Session.read(request.cookies.get(site.cookie, ""))
    visit = Visit(request, site, api, session, request.cookies.get(site.form_cookie, ""))
    if request.method == "POST":
        fields = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=FORM_FIELDS_MAX)
        visit.form = {name: values[0] for name, values in fields.items()}
    return visit


async def _answer(visit: Visit, handler: Handler, *, open_: bool) -> Response:
    if visit.request.method == "POST" and not _ours(visit):
        return visit.page("refused.html", 403, words=_OLD_FORM, back=visit.site.prefix)
    visit.seed = visit.seed or Forms.seed()
    if visit.session is not None:
        await _renew(visit)
    if visit.session is None and not open_:
        wanted = visit.request.url.path
        if visit.request.url.query:
            wanted = f"{wanted}?{visit.request.url.query}"
        following = f"?next={quote(wanted)}" if visit.request.method == "GET" else ""
        return visit.go(f"{visit.site.prefix}/sign-in{following}")
    return await handler(visit)


def _ours(visit: Visit) -> bool:
    """A form of a page of ours: its proof fits, and a browser that tells says it came from here."""
    here = visit.request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    return here and visit.forms.fits(visit.seed, visit.form.pop("proof", ""))


async def _renew(visit: Visit) -> None:
    """Tokens that are good, or nobody signed in."""
    state = app_state(visit.request)
    session = visit.session
    if session is None:
        return
    if session.expires - RENEW_BEFORE_SECONDS <= state.clock.time():
        app = visit.request.app
        if not hasattr(app.state, "page_renewals"):
            app.state.page_renewals = Renewals(state.clock)
        try:
            session = await app.state.page_renewals.renew(visit.api, session)
        except Refused as refused:
            if refused.status not in (401, 422):
                raise
            visit.session, visit.gone = None, True
            return
        visit.session, visit.fresh = session, True
    visit.api = Api(visit.api.app, visit.api.address, visit.api.request_id, session.access)


def _refused(visit: Visit, refused: Refused) -> Response:
    if refused.status == 401:
        visit.session, visit.gone = None, True
        return visit.go(f"{visit.site.prefix}/sign-in")
    if refused.word == PASSWORD_OWED:
        return visit.go(f"{visit.site.prefix}/password")
    status = refused.status if refused.status in ADVICE else 500
    headers = {"Retry-After": refused.retry_after} if refused.retry_after else {}
    answer = visit.page("refused.html", status, words=ADVICE.get(refused.status, _BROKEN), back=visit.site.prefix)
    answer.headers.update(headers)
    return answer


def _with_cookies(visit: Visit, response: Response) -> Response:
    site, request = visit.site, visit.request
    if visit.fresh and visit.session is not None:
        seconds = app_state(request).settings.refresh_token_seconds
        set_cookie(response, request, site, site.cookie, visit.session.text, seconds=seconds)
    elif visit.gone:
        response.delete_cookie(site.cookie, path=site.prefix, httponly=True, samesite="lax")
    if visit.seed and visit.seed != request.cookies.get(site.form_cookie):
        set_cookie(response, request, site, site.form_cookie, visit.seed, seconds=FORM_SECONDS)
    return response

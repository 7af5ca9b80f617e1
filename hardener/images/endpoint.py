"""One host that serves images: how it is reached, who we are there, and what its answers may be.

Redirects are followed here, not by requests: none may carry a login to another host, or send us where only this machine may ask. An
endpoint may be used by several threads at once.
"""

from __future__ import annotations

import threading
from time import monotonic, time
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from hardener.images import challenge, failures, hosts, sessions
from hardener.images.body import Pace
from hardener.images.retrying import AGAIN, Trouble, retry_after_s, too_many

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Final

    import requests

    from hardener.images.credentials import Login
    from hardener.images.registry import RegistryOptions

REDIRECTS: Final = 5
DOCUMENT: Final = 8 << 20  # bytes: registries take manifests of 4 MiB
TOKEN: Final = 128 << 10
_MARGIN_S: Final = 10  # before the end of a token's life
_DEFAULT_LIFE_S: Final = 60


class Answer:
    """An answer whose body has not been read. `headers` are by name in small letters."""

    __slots__ = ("_response", "headers", "status", "where")

    def __init__(self, response: requests.Response, where: str) -> None:
        self._response = response
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self.where = where

    def read_some(self, most: int) -> bytes:
        """Return what has arrived, at least a byte, or nothing at the end. Raises Trouble when the connection breaks."""
        from http.client import HTTPException

        from urllib3.exceptions import HTTPError

        try:
            return self._response.raw.read1(most, decode_content=False) or b""
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            raise Trouble(f"the connection broke: {failures.reason(error)}", where=self.where, how="try again", again=True) from None

    def document(self, limit: int, stall_s: float) -> bytes:
        """Return the whole body, which is a document of at most `limit` bytes."""
        pace = Pace(stall_s, self.where)
        pieces = []
        size = 0
        began = monotonic()
        try:
            while piece := pace.read(self, 1 << 16):
                pieces.append(piece)
                size += len(piece)
                if size > limit:
                    raise Trouble(f"the document is larger than {limit} bytes", where=self.where, how="no real image is like that")
                if monotonic() - began > 4 * stall_s:
                    raise Trouble("the document takes too long to come", where=self.where, how="try again later", again=True)
        finally:
            self.close()
        return b"".join(pieces)

    def close(self) -> None:
        """Give up the connection, or give it back when all has been read."""
        self._response.close()


class Endpoint:
    """A host, with the connections to it, and the tokens that it gave us."""

    def __init__(self, registry: str, options: RegistryOptions, login: Callable[[str], Login | None]) -> None:
        self.registry = registry
        self.host = hosts.server(registry)
        self._name, _ = hosts.split(self.host)
        self._options = options
        self._login = login
        self._lock = threading.RLock()
        self._session: requests.Session | None = None
        self._base = ""
        self._authorizations: dict[str, tuple[str, float]] = {}  # repository -> (header, until when)
        self._warned: set[str] = set()

    @property
    def is_open(self) -> bool:
        """Whether it may be spoken to without a certificate, or without TLS: the user said so, or it is this machine."""
        named = {hosts.split(one) for one in self._options.insecure}
        mine = hosts.split(self.host)
        if mine in named or (mine[0], None) in named:
            return True
        return hosts.is_loopback(self._name) and not self._options.ca and not hosts.has_ca(self.host, self._options.certificates)

    def ask(
        self, method: str, path: str, repository: str, headers: Mapping[str, str] | None = None, accepted: tuple[int, ...] = (200,)
    ) -> Answer:
        """Return the answer to a request, which has one of the statuses `accepted`. Raises Trouble; what may pass has been tried again."""
        return self._options.patience.run(lambda: self._ask(method, path, repository, headers or {}, accepted))

    def _ask(self, method: str, path: str, repository: str, headers: Mapping[str, str], accepted: tuple[int, ...]) -> Answer:
        url = f"{self._reached()}{path}"
        for fresh in (False, True):
            with self._lock:
                authorization, until_s = self._authorizations.get(repository, ("", 0.0))
            if until_s < monotonic():
                authorization = ""
            answer = self._follow(method, url, {**headers, **({"Authorization": authorization} if authorization else {})})
            if answer.status != 401 or fresh:
                break
            asked = challenge.parse(answer.headers.get("www-authenticate", ""))
            answer.close()
            self._authorize(repository, challenge.choose(asked, self.registry), authorization)
        name = path.partition("?")[0].rpartition("/")[2]
        answer.where = f"{self.registry}/{repository}{'@' if ':' in name else ':'}{name[:128]}"
        if answer.status in accepted:
            return answer
        raise self._failure(answer, repository)

    # --- reaching it -----------------------------------------------------------------------------------------------------------

    def _reached(self) -> str:
        with self._lock:
            if not self._base:
                self._base = self._find_base() if self.is_open else f"https://{self.host}"
            return self._base

    def _find_base(self) -> str:
        """Find out what an open host speaks. Nothing that is private is sent meanwhile."""
        schemes = ("http", "https") if hosts.is_loopback(self._name) else ("https", "http")
        first: Trouble | None = None
        for scheme in schemes:
            try:
                answer = self._once("GET", f"{scheme}://{self.host}/v2/", {})
            except Trouble as trouble:
                first = first or trouble
                continue
            answer.close()
            moved = answer.status in (301, 302, 307, 308) and answer.headers.get("location", "").startswith("https:")
            if answer.status != 400 and not (scheme == "http" and moved):  # 400: HTTP was sent to a server that speaks TLS
                return f"{scheme}://{self.host}"
        raise first or Trouble("neither http nor https is spoken there", where=self.registry, how="is this a registry?")

    def _follow(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Ask, and go where the answer sends us, within limits; a login goes nowhere but to the host that it is for."""
        target = hosts.parse(url, self.registry)
        sent = dict(headers)
        for _ in range(REDIRECTS + 1):
            answer = self._once(method, target.url, sent, body)
            location = answer.headers.get("location")
            if answer.status not in (301, 302, 303, 307, 308) or location is None:
                return answer
            answer.close()
            there = hosts.follow(target, location, self.registry)
            if target.scheme == "https" and there.scheme == "http":
                raise Trouble(
                    f"the registry sends us from https to http, to {there.host}",
                    where=self.registry,
                    how="it is set up wrongly, or an attack: nothing is fetched without TLS where there was TLS",
                )
            hosts.check_reach(there, self.host, resolve=not hosts.proxy(there, self._options.environment))
            if there.origin != target.origin:
                if body is not None:  # an identity token is in it
                    raise Trouble(
                        f"{target.host} sends a login on to {there.host}", where=self.registry, how="it is set up wrongly, or an attack"
                    )
                sent.pop("Authorization", None)
            target = there
        raise Trouble("the registry sends us round and round", where=self.registry, how="it is set up wrongly")

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        import requests
        from urllib3.exceptions import HTTPError

        target = hosts.parse(url, self.registry)
        through = hosts.proxy(target, self._options.environment)
        try:
            response = self._connections(target).request(
                method,
                url,
                headers=dict(headers),
                data=body,
                stream=True,
                timeout=(self._options.connect_s, self._options.stall_s),
                allow_redirects=False,
                proxies={"http": through, "https": through} if through else {},
                verify=not (self.is_open and target.host == self._name),
            )
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise self._unreachable(error, target, through) from None
        return Answer(response, self.registry)

    def _connections(self, target: hosts.Target) -> requests.Session:
        with self._lock:
            if self._session is None:
                self._session = sessions.session(self._options.stall_s)
            prefix = f"{target.scheme}://{urlsplit(target.url).netloc.lower()}/"  # one host is not to match the beginning of another
            if target.scheme == "https" and prefix not in self._session.adapters:
                ours = target.host == self._name
                name = self.host if ours else target.host
                made = hosts.context(name, self._options.ca, self._options.certificates, verify=not (self.is_open and ours))
                self._session.mount(prefix, sessions.adapter(made, self._options.stall_s))
            return self._session

    # --- who we are ------------------------------------------------------------------------------------------------------------

    def _authorize(self, repository: str, asked: challenge.Challenge, refused: str) -> None:
        """Get what lets us in. `refused` is what did not."""
        with self._lock:
            now, until_s = self._authorizations.get(repository, ("", 0.0))
            if now != refused and until_s > monotonic():
                return  # another thread was faster
            login = self._login(repository)
            if asked.scheme == "bearer":
                self._authorizations[repository] = self._token(repository, asked.parameters, login)
                return
            if login is None or not login.username:
                raise Trouble("the registry wants a login", where=self.registry, how=failures.how_to_log_in(self.registry), status=401)
            if refused == login.basic:
                raise self._wrong_login()
            self._authorizations[repository] = (login.basic, float("inf"))  # without TLS only where the user allows it: `_reached`

    def _token(self, repository: str, parameters: Mapping[str, str], login: Login | None) -> tuple[str, float]:
        from json import loads

        place = hosts.parse(parameters["realm"], self.registry)
        realm = challenge.realm(place.url, self.host, resolve=not hosts.proxy(place, self._options.environment))
        if realm.warning and login is not None and realm.warning not in self._warned:
            self._warned.add(realm.warning)
            self._options.warn(realm.warning)
        if login is not None and not realm.private:
            how = f"the address for tokens, {place.host}, must be of https"
            raise Trouble("a password is not sent without TLS", where=self.registry, how=how)
        # Not what the registry asks for: it could be more than we want, or the images of somebody else.
        query = {"service": parameters.get("service", ""), "scope": f"repository:{repository}:pull"}
        if login is not None and login.identity_token:
            form = {**query, "grant_type": "refresh_token", "refresh_token": login.identity_token, "client_id": "hardener"}
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = self._follow("POST", realm.url, kind, urlencode(form).encode())
        else:
            account = {"account": login.username} if login is not None else {}
            separator = "&" if "?" in realm.url else "?"
            headers = {"Authorization": login.basic} if login is not None else {}
            answer = self._follow("GET", f"{realm.url}{separator}{urlencode({**query, **account})}", headers)
        if answer.status in (400, 401, 403):
            answer.close()
            raise self._wrong_login() if login is not None else self._unknown(answer.status)
        if answer.status != 200:
            answer.where = f"{self.registry}: {place.host}"
            raise self._failure(answer, repository)
        try:
            said = loads(answer.document(TOKEN, self._options.stall_s))
            token = said.get("token") or said.get("access_token")
            life_s = said.get("expires_in") or _DEFAULT_LIFE_S
        except (ValueError, AttributeError, RecursionError):
            token, life_s = None, 0
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or " " in token:
            raise Trouble("the answer is no token", where=f"{self.registry}: {place.host}", how="it is set up wrongly")
        life_s = life_s if isinstance(life_s, (int, float)) and not isinstance(life_s, bool) else _DEFAULT_LIFE_S
        return f"Bearer {token}", monotonic() + max(min(life_s, 3600), _DEFAULT_LIFE_S) - _MARGIN_S

    # --- what went wrong -------------------------------------------------------------------------------------------------------

    def _wrong_login(self) -> Trouble:
        return Trouble(
            "the registry does not let this login in", where=self.registry, how=failures.how_to_log_in(self.registry), status=401
        )

    def _unknown(self, status: int) -> Trouble:
        what = "the registry lets nobody in without a login, or has no such image"
        return Trouble(what, where=self.registry, how=failures.how_to_log_in(self.registry), status=status)

    def _failure(self, answer: Answer, repository: str) -> Trouble:
        pause_s = retry_after_s(answer.headers.get("retry-after"), time()) if answer.status in AGAIN else None
        said = failures.said(answer, self._options.stall_s)
        if answer.status == 401:
            return self._wrong_login() if self._login(repository) is not None else self._unknown(401)
        if answer.status == 429:
            what, how = too_many(answer.headers, pause_s)
            return Trouble(what, where=answer.where, how=how, again=True, status=429, pause_s=pause_s)
        if answer.status == 403:
            how = "the login that is known may not read this: is the name right?"
            return Trouble(f"the registry refuses it{said}", where=answer.where, how=how, status=403)
        if answer.status == 404:
            return Trouble(f"the registry does not have it{said}", where=answer.where, how="is the name right, and the tag?", status=404)
        what = f"the registry answers {answer.status}{said}"
        again = answer.status in AGAIN
        how = "try again later" if again else "is this a registry?"
        return Trouble(what, where=answer.where, how=how, again=again, status=answer.status, pause_s=pause_s)

    def _unreachable(self, error: Exception, target: hosts.Target, through: str) -> Trouble:
        import requests

        chain = {type(one).__name__ for one in failures.chain(error)}
        there = f" through the proxy {hosts.shown(through)}" if through else ""
        if isinstance(error, requests.exceptions.SSLError):
            how = f"--ca FILE names a CA of your own; --insecure {self.host} does without"
            return Trouble(f"{target.host} cannot be trusted{there}: {failures.reason(error)}", where=self.registry, how=how)
        if "NameResolutionError" in chain:
            return Trouble(
                f"nobody knows the host {target.host}{there}", where=self.registry, how="is the name right, and is there a network?"
            )
        if chain & {"InvalidSchema", "InvalidProxyURL", "ProxySchemeUnknown"}:
            return Trouble(
                f"the proxy cannot be used: {failures.reason(error)}", where=self.registry, how="http:// and https:// proxies are known"
            )
        if isinstance(error, requests.Timeout):
            return Trouble(
                f"{target.host} does not answer{there}", where=self.registry, how="is there a network, or a firewall?", again=True
            )
        what = f"{target.host} cannot be reached{there}: {failures.reason(error)}"
        again = "ConnectionRefusedError" not in chain
        return Trouble(what, where=self.registry, how="is the name right, and the port?", again=again)

"""Connections by requests, which does nothing by itself: no redirects, no proxies or logins of the environment, no cookies.

One of the two modules that import requests, for what it takes from the environment is a way in: REQUESTS_CA_BUNDLE would take the place of
what the user said of certificates, and ~/.netrc that of the login.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from hardener import __version__

if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext
    from typing import Any, Final

    import requests
    from requests.adapters import HTTPAdapter

POOL: Final = 16  # connections that are kept


def session(stall_s: float) -> requests.Session:
    """Return a session that does as we say: an answer must begin within `stall_s`."""
    from http.cookiejar import DefaultCookiePolicy

    import requests
    from urllib3 import disable_warnings

    class Session(requests.Session):
        """Looks at no redirect."""

        def get_redirect_target(self, resp: requests.Response) -> None:
            return None

    disable_warnings()  # who asks for a host without certificates knows
    made = Session()
    made.trust_env = False  # neither ~/.netrc nor REQUESTS_CA_BUNDLE decide for us
    made.headers.clear()
    made.headers.update({"User-Agent": f"hardener/{__version__}", "Accept-Encoding": "identity"})
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    made.mount("http://", adapter(None, stall_s))
    return made


def adapter(context: SSLContext | None, stall_s: float) -> HTTPAdapter:
    """Return how hosts are connected to, over TLS by the rules of a context."""
    from requests.adapters import HTTPAdapter

    pools = _pools(stall_s)

    class Adapter(HTTPAdapter):
        """Takes our word for what is trusted, and for how long an answer may take to begin."""

        def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **more: Any) -> None:
            super().init_poolmanager(connections, maxsize, block, **more, ssl_context=context)
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
            made = super().proxy_manager_for(proxy, **more, ssl_context=context)
            made.pool_classes_by_scheme = pools
            return made

        def cert_verify(self, conn: object, url: str, verify: object, cert: object) -> None:
            vars(conn).update(cert_reqs="CERT_REQUIRED" if verify else "CERT_NONE")

    return Adapter(pool_connections=POOL, pool_maxsize=POOL)


def _pools(stall_s: float) -> Any:
    """Return the kinds of connections to make. The timeout of a socket begins anew with each byte: the head of an answer gets another."""
    from socket import SHUT_RDWR, socket

    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    def in_time(connected: socket | None, read: Callable[[], Any]) -> Any:
        late = threading.Event()

        def end() -> None:
            late.set()
            with suppress(OSError):  # it has ended by itself
                socket.shutdown(connected, SHUT_RDWR) if connected is not None else None

        timer = threading.Timer(stall_s, end)
        timer.daemon = True
        timer.start()
        try:
            return read()
        finally:
            timer.cancel()
            if late.is_set():  # whatever was read is half an answer
                raise TimeoutError("the answer has not begun")

    class Plain(HTTPConnection):
        def getresponse(self) -> Any:
            return in_time(self.sock, super().getresponse)

    class Secure(HTTPSConnection):
        def getresponse(self) -> Any:
            return in_time(self.sock, super().getresponse)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}

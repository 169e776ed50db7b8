"""Who may come in, put together: logins and sessions, keys, records of who there is, and the own address."""

from __future__ import annotations

from dataclasses import dataclass

from bellwire.api.authentication import Authenticator
from bellwire.api.public_url import PublicUrl, TrustedProxies
from bellwire.api.rate_limits import RateLimits
from bellwire.engine.authorize import Authorization
from bellwire.engine.authorize_codes import AuthorizationCodes
from bellwire.engine.authorize_jwts import UserJwts
from bellwire.engine.authorize_passwords import Passwords
from bellwire.engine.authorize_sessions import Sessions
from bellwire.engine.provision import Provisioning
from bellwire.engine.watch_directory import Recheck, WatchedDirectoryWriter
from bellwire.engine.wrong_guesses import WrongGuesses
from bellwire.observe.system_clock import SystemClock
from bellwire.settings import Settings
from bellwire.storage.records import RecordsStores


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessParts:
    sessions: Sessions
    authorization: Authorization
    authenticator: Authenticator
    writer: WatchedDirectoryWriter
    provisioning: Provisioning
    public_url: PublicUrl


def compose_access(*, settings: Settings, clock: SystemClock, stores: RecordsStores, recheck: Recheck) -> AccessParts:
    """
    Args:
        recheck: has the subscriptions judged again that a change of these records concerns.
    """
    directory, installation, credentials = stores.directory, stores.installation, stores.credentials
    sessions = Sessions(store=stores.sessions, directory=directory, installation=installation, clock=clock)
    writer = WatchedDirectoryWriter(directory, recheck)
    proxies = TrustedProxies([str(network) for network in settings.trusted_proxies])
    return AccessParts(
        sessions=sessions,
        authorization=Authorization(
            directory=directory,
            sessions=sessions,
            jwts=UserJwts(credentials=credentials, installation=installation, clock=clock),
            passwords=Passwords(directory=directory, credentials=credentials, clock=clock),
            codes=AuthorizationCodes(
                directory=directory, store=stores.sessions, installation=installation, clock=clock
            ),
            guesses=WrongGuesses(clock.monotonic),
        ),
        authenticator=Authenticator(
            sessions=sessions, credentials=credentials, limits=RateLimits(), clock=clock, proxies=proxies
        ),
        writer=writer,
        provisioning=Provisioning(
            directory=directory, writer=writer, credentials=credentials, installation=installation, clock=clock
        ),
        public_url=PublicUrl(settings.public_url, proxies=proxies),
    )

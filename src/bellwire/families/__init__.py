"""Event families: one file declares one kind of event, and everything else is derived from the declarations.

`REGISTRY` collects the `FAMILY` of each module of this folder: adding an event type is adding one file.

Who may subscribe, beyond the application's permission (`Template.permission`):

    messages of another extension                                        ReadCompanyMessages         SUB-405
    High Volume SMS of the account                                       ReadCompanyMessages         CMN-408
    presence, DND, monitored lines of another extension, account, queue  ReadPresenceStatus          SUB-403
    call sessions of the account or another extension, its incoming calls  ReadCompanyTelephony      CMN-408
    missed calls of another extension                                    ReadCompanyTelephony        SUB-527
    settings, favorites, grants of another extension                     ReadExtensions              CMN-404
    the list of extensions                                               ReadExtensions              CMN-408
    Contact Center numbers                                               ReadCompanyPhoneNumbers     CMN-408
    emergency addresses                                                  ReadCompanyDevices          CMN-408
    conversation insights                                                ReadCompanyCallRecording    CMN-408
    directory, message threads, Team Messaging, webinars, reminders      nothing more
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from bellwire.families.declaration import EventFamily
from bellwire.families.registry import Registry, TemplateMatch

__all__ = ["REGISTRY", "Registry", "TemplateMatch"]


def _declared() -> tuple[EventFamily, ...]:
    """The families of this folder, by name."""
    modules = (import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))
    families = (getattr(module, "FAMILY", None) for module in modules)
    return tuple(sorted((f for f in families if isinstance(f, EventFamily)), key=lambda family: family.name))


REGISTRY = Registry(_declared())

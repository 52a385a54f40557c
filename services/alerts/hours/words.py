"""The words of an incident about hours: as of a burst, and that no minute shows it. Pure."""

from dataclasses import dataclass, replace

from services.alerts.incidents.incident import Incident
from services.alerts.incidents.words import Wording
from services.alerts.levels.days import REST


@dataclass(frozen=True, kw_only=True)
class HourWording(Wording):
    """Of what is unusual for an hour of this time."""

    def title(self, incident: Incident) -> str:
        """As of a burst; of values beyond the largest no name can be said."""
        return super().title(_readable(incident))

    def summary(self, incident: Incident) -> str:
        """As of a burst, and how it was found."""
        how = (
            "" if incident.state == "resolved" else " It is the hour that is unusual at this time, no minute."
        )
        return super().summary(_readable(incident)) + how

    def link(self, incident: Incident) -> str:
        """What the scope spent around it; of values beyond the largest no filter can be made."""
        return "" if REST in incident.scope.values() else super().link(incident)


def _readable(incident: Incident) -> Incident:
    scope = {
        name: "all but the largest" if value == REST else value for name, value in incident.scope.items()
    }
    return replace(incident, scope=scope)

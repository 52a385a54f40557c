"""Makes up the passwords of a container system and prints them as the .env that docker-compose.yml reads.

    docker build -t spendmeter -f deploy/docker/Dockerfile .
    docker run --rm spendmeter python -m deploy.docker.environment > .env && chmod 600 .env

Every service gets the URL of its own database role and no secret from which it could derive another's.
"""

import secrets

from deploy.local.services import DATABASE_ROLES
from spendmeter.platform.roles import TEAM_READER, role_url
from spendmeter.platform.service_keys import ACCRUALS, service_key


def environment(*, postgres_password: str, role_secret: str) -> dict[str, str]:
    """The variables that docker-compose.yml needs, from the two secrets that they all derive from."""
    owner = f"postgresql://postgres:{postgres_password}@postgres:5432/spendmeter"
    roles = {
        f"{service.upper()}_DATABASE_URL": role_url(owner, role, role_secret)
        for service, role in DATABASE_ROLES.items()
    }
    return {
        "POSTGRES_PASSWORD": postgres_password,
        "SPENDMETER_ROLE_SECRET": role_secret,
        "OWNER_DATABASE_URL": owner,
        **roles,
        "API_TEAM_DATABASE_URL": role_url(owner, TEAM_READER, role_secret),
        "ACCRUAL_KEY": service_key(role_secret, ACCRUALS),
    }


if __name__ == "__main__":
    made = environment(postgres_password=secrets.token_urlsafe(24), role_secret=secrets.token_urlsafe(24))
    for name, value in made.items():
        print(f"{name}={value}")

"""tracker user add, disable, reset-factor, list"""

import os
import sys

import click
from sqlalchemy import select

from tracker.cli.context import clinics, database, operator
from tracker.domain.errors import NotFound
from tracker.models import ROLES, Account, Clinic, Membership
from tracker.operations import accounts, configure, second_factor


@click.group()
def user() -> None:
    """People and their roles."""


@user.command()
@click.argument("username")
@click.option("--name", required=True, help="The name as it is printed beside decisions.")
@click.option("--role", required=True, type=click.Choice(ROLES))
@click.option("--clinic", "codes", multiple=True, help="A clinic's code; repeat for several. All clinics without it.")
def add(username: str, name: str, role: str, codes: tuple[str, ...]) -> None:
    """Add a person. The password is asked for, or read from TRACKER_NEW_PASSWORD."""
    password = os.environ.get("TRACKER_NEW_PASSWORD") or (
        click.prompt("Password", hide_input=True, confirmation_prompt=True) if sys.stdin.isatty() else ""
    )
    with database() as opened, opened.transaction() as session:
        actor = operator()
        where = (
            [c for code in codes for c in clinics(session, code)] if codes else configure.the_clinics(session, actor)
        )
        accounts.add_account(session, actor, username, name, role, password, where)
    click.echo(f"{username} added as {role}.")


@user.command()
@click.argument("username")
def disable(username: str) -> None:
    """Disable a person; their name stays on what they did."""
    with database() as opened, opened.transaction() as session:
        accounts.disable_account(session, operator(), username)
    click.echo(f"{username} is disabled and signed out everywhere.")


@user.command("reset-factor")
@click.argument("username")
def reset_factor(username: str) -> None:
    """Take telephone and passkeys from a person who lost them."""
    with database() as opened, opened.transaction() as session:
        account = session.scalars(select(Account).where(Account.username == username)).first()
        if account is None:
            raise NotFound(f"There is no account “{username}”.")
        second_factor.take_away(session, operator(), account, "reset on the server")
    click.echo(f"{username} signs in with the password alone, and enrols another telephone or passkey.")


@user.command("list")
def list_people() -> None:
    """Everybody with an account."""
    with database() as opened, opened.reading() as session:
        where: dict[int, list[str]] = {}
        for account_id, code in session.execute(select(Membership.account_id, Clinic.code).join(Clinic)):
            where.setdefault(account_id, []).append(code)
        for account in session.scalars(select(Account).order_by(Account.username)):
            state = "" if account.active else "  (disabled)"
            click.echo(
                f"{account.username}  {account.role}  {account.name}  {', '.join(where.get(account.id, []))}{state}"
            )

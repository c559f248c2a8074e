"""The jobs that send emails: invitations, password resets, and that a business was suspended or resumed."""

import asyncio

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from runtime.database import database_sync_to_async
from tenants.invitations import inviting
from tenants.password_reset import resetting
from tenants.suspension import state


@app.task(queue="maintenance", name=inviting.EMAIL_TASK, retry=RetryStrategy(max_attempts=10, exponential_wait=3))
async def email_invitation(invitation_id: int) -> None:
    """Safe to run twice: the link in the newest email is the one that works."""
    email = await database_sync_to_async(inviting.new_email)(invitation_id)
    if email is not None:
        await asyncio.to_thread(email.send)
        await database_sync_to_async(inviting.email_was_sent)(invitation_id)


@app.task(queue="notifications", name=resetting.EMAIL_TASK, retry=RetryStrategy(max_attempts=5, exponential_wait=3))
async def email_password_reset(address: str) -> None:
    """Safe to run twice: both links work until the password is changed."""
    email = await database_sync_to_async(resetting.email_for)(address)
    if email is not None:
        await asyncio.to_thread(email.send)


@app.task(queue="notifications", name=state.EMAIL_TASK, retry=RetryStrategy(max_attempts=5, exponential_wait=3))
async def email_suspension(tenant_id: int) -> None:
    """Safe to run twice: it says what is so now."""
    email = await database_sync_to_async(state.email_for)(tenant_id)
    if email is not None:
        await asyncio.to_thread(email.send)

"""Reactions, gifts and what they cost."""

import uuid

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from streams.models.session import StreamSession


class ReactionTotal(models.Model):
    """How often a reaction was given in a session."""

    session = models.ForeignKey(StreamSession, models.CASCADE, related_name="reaction_totals")
    kind = models.CharField(max_length=20)
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "kind"], name="reaction_once_per_kind")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.count}"


class Gift(models.Model):
    """Something that viewers can send; priced in coins."""

    slug = models.SlugField(max_length=40, primary_key=True)
    name = models.CharField(max_length=60)
    price = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    icon = models.CharField(max_length=40)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["price", "slug"]
        constraints = [models.CheckConstraint(condition=Q(price__gte=1), name="gift_costs_something")]

    def __str__(self) -> str:
        return self.name


class GiftTransaction(models.Model):
    """One gift sent by one viewer; sending the same `client_id` again sends nothing."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(StreamSession, models.PROTECT, related_name="gifts")
    sender = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="gifts_sent")
    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="gifts_received")
    gift = models.ForeignKey(Gift, models.PROTECT, related_name="transactions")
    quantity = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    amount = models.PositiveIntegerField(help_text="Coins in all.")
    client_id = models.CharField(max_length=64)
    seq = models.BigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["session", "sender", "client_id"], name="gift_once_per_client_id"),
            models.UniqueConstraint(fields=["session", "seq"], name="gift_once_per_seq"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="gift_at_least_one"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.gift}"


class Wallet(models.Model):
    """A person's coins. The balance is the sum of the entries, kept beside them and never below zero."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT, primary_key=True, related_name="wallet")
    balance = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(balance__gte=0), name="wallet_not_below_zero")]

    def __str__(self) -> str:
        return f"{self.user}: {self.balance}"


class WalletEntry(models.Model):
    """One side of a double entry; the entries of one `booking` add up to zero."""

    booking = models.UUIDField()
    wallet = models.ForeignKey(Wallet, models.PROTECT, null=True, blank=True, related_name="entries")
    account = models.CharField(max_length=40, help_text="wallet, or the counter account: topup, fee.")
    amount = models.BigIntegerField()
    gift = models.ForeignKey(GiftTransaction, models.PROTECT, null=True, blank=True, related_name="wallet_entries")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name_plural = "wallet entries"
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="entry_moves_something"),
            models.UniqueConstraint(fields=["booking", "account", "wallet"], name="entry_once_per_side"),
        ]
        indexes = [models.Index(fields=["wallet", "-created_at"], name="entry_by_wallet")]

    def __str__(self) -> str:
        return f"{self.account}: {self.amount}"

"""A reference, a unique name, an index for LIKE, a check and a many-to-many."""

from __future__ import annotations

from django.db import models


class Tag(models.Model):
    word = models.SlugField()


class Author(models.Model):
    name = models.CharField(max_length=50, unique=True)
    born = models.DateField(null=True)


class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    title = models.CharField(max_length=100, db_index=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    at = models.DateTimeField(auto_now_add=True)
    ok = models.BooleanField(default=True)
    tags = models.ManyToManyField(Tag)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=models.Q(price__gte=0), name="price_not_negative"),
        )

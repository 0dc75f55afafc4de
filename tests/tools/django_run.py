"""Django against a server, as a program of its own: settings are the process's. Prints JSON.

Called with host, port and a directory for migrations.
"""

from __future__ import annotations

import io
import json
import sys
from decimal import Decimal
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.db.models import Count, F

host, port, directory = sys.argv[1:]
sys.path.insert(0, directory)
(Path(directory) / "django_shop_migrations").mkdir()
(Path(directory) / "django_shop_migrations" / "__init__.py").touch()
settings.configure(
    USE_TZ=True,
    SECRET_KEY="x",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        *("django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"),
        *("django.contrib.admin", "django.contrib.messages", "django_shop"),
    ],
    MIGRATION_MODULES={"django_shop": "django_shop_migrations"},
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "hatidata",
            "HOST": host,
            "PORT": port,
            "USER": "tester",
            "OPTIONS": {"options": "-c search_path=scratch"},
        }
    },
)
django.setup()

from django.contrib.auth.models import Permission, User  # noqa: E402
from django_shop.models import Author, Book, Tag  # noqa: E402

found: dict[str, object] = {}
call_command("makemigrations", "django_shop", verbosity=0)
call_command("migrate", verbosity=0)
found["permissions"] = Permission.objects.filter(content_type__app_label="django_shop").count()
ann = Author.objects.create(name="Ann")
Author.objects.bulk_create([Author(name=f"a{number}") for number in range(3)])
book = ann.books.create(title="T", price="9.50")
book.tags.add(Tag.objects.create(word="w"))
Book.objects.update(price=F("price") + 1)
found["joined"] = list(
    Book.objects.filter(author__name="Ann", tags__word="w").values_list("title", "price")
)
counted = Author.objects.annotate(n=Count("books")).order_by("id")
found["counted"] = list(counted.values_list("id", "n").values_list("n", flat=True))
found["there"] = Author.objects.get_or_create(name="Ann")[1]
found["insensitive"] = Author.objects.filter(name__icontains="AN").count()
try:
    with transaction.atomic():
        Author.objects.create(name="Ann")
except IntegrityError as error:
    found["twice"] = type(error).__name__
try:
    Book.objects.create(author=ann, title="U", price=-1)
except IntegrityError as error:
    found["negative"] = type(error).__name__
found["user"] = User.objects.create_user("u", password="p").check_password("p")
written = io.StringIO()
call_command("inspectdb", "django_shop_book", "django_shop_author", stdout=written)
found["inspected"] = [" ".join(line.split()) for line in written.getvalue().splitlines()]
found["deleted"] = ann.delete()[0]
found["left"] = Book.objects.count()
call_command("migrate", "django_shop", "zero", verbosity=0)
print(json.dumps(found, default=lambda one: str(one) if isinstance(one, Decimal) else None))

from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"


class PayPalIpnConfig(AppConfig):
    """django-paypal's notifications, with the key type of its own migrations.

    Under this project's BigAutoField `makemigrations` would write a migration into the
    installed package.
    """

    name = "paypal.standard.ipn"
    label = "ipn"
    verbose_name = "PayPal notifications"
    default_auto_field = "django.db.models.AutoField"

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0003_event_details'),
        ('wallets', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='CacheGeneration',
            fields=[
                ('organization', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='+', serialize=False, to='wallets.organization')),
                ('number', models.PositiveBigIntegerField(default=0)),
                ('purged_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name': 'response cache',
            },
        ),
    ]

"""All SQL of the platform: schema, migrations, named queries, pool and the one door to a tenant's rows."""

-- How a tenant reads series: the application has no right on the tables themselves, only on these views, which let
-- through the devices of the transaction's tenant. Barriers keep a function in WHERE from seeing rows before the filter.

GRANT SELECT, INSERT ON readings, motion_windows TO anhu_ingest;
GRANT SELECT ON readings, motion_windows TO anhu_alerts, anhu_jobs;

CREATE VIEW tenant_readings WITH (security_barrier) AS
SELECT r.device_key, r.metric, r.time, r.value, r.flags, r.received
FROM readings r JOIN devices d ON d.key = r.device_key WHERE d.institution_id = current_tenant();

CREATE VIEW tenant_latest WITH (security_barrier) AS
SELECT l.device_key, l.metric, l.time, l.value, l.flags, l.received
FROM latest l JOIN devices d ON d.key = l.device_key WHERE d.institution_id = current_tenant();

CREATE VIEW tenant_motion_windows WITH (security_barrier) AS
SELECT m.device_key, m.time, m.hz, m.scale, m.counts, m.flags, m.received
FROM motion_windows m JOIN devices d ON d.key = m.device_key WHERE d.institution_id = current_tenant();

CREATE VIEW readings_5m WITH (security_barrier) AS
SELECT r.device_key, r.metric, r.bucket, r.count, r.sum, r.min, r.max
FROM rollup_5m r JOIN devices d ON d.key = r.device_key WHERE d.institution_id = current_tenant();

CREATE VIEW readings_1h WITH (security_barrier) AS
SELECT r.device_key, r.metric, r.bucket, r.count, r.sum, r.min, r.max
FROM rollup_1h r JOIN devices d ON d.key = r.device_key WHERE d.institution_id = current_tenant();

CREATE VIEW readings_1d WITH (security_barrier) AS
SELECT r.device_key, r.metric, r.bucket, r.count, r.sum, r.min, r.max
FROM rollup_1d r JOIN devices d ON d.key = r.device_key WHERE d.institution_id = current_tenant();

GRANT SELECT ON tenant_readings, tenant_latest, tenant_motion_windows, readings_5m, readings_1h, readings_1d
    TO anhu_api;

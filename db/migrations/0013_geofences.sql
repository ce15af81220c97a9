-- Safe areas of a person: leaving them opens an alert. What is taken away stays as a record with its end.

CREATE TABLE geofences (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    resident_id    uuid NOT NULL,
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    -- [[latitude, longitude], ...] in degrees: one corner and a radius are a circle, three or more a polygon.
    corners        jsonb NOT NULL CHECK (jsonb_array_length(corners) BETWEEN 1 AND 64),
    radius_m       double precision NOT NULL DEFAULT 0 CHECK (radius_m >= 0),
    -- Minutes of the local day from and to which it is in force; equal ends mean always.
    from_minute    smallint NOT NULL DEFAULT 0 CHECK (from_minute BETWEEN 0 AND 1439),
    to_minute      smallint NOT NULL DEFAULT 0 CHECK (to_minute BETWEEN 0 AND 1439),
    author_id      uuid NOT NULL REFERENCES users (id),
    valid_from     timestamptz NOT NULL,
    valid_to       timestamptz,
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id),
    CHECK (valid_to IS NULL OR valid_to >= valid_from),
    CHECK ((jsonb_array_length(corners) = 1 AND radius_m > 0) OR (jsonb_array_length(corners) >= 3 AND radius_m = 0))
);
CREATE INDEX geofences_resident ON geofences (resident_id, valid_from);
SELECT protect_tenant_table('geofences', '{anhu_alerts,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON geofences TO anhu_api, anhu_admin;
GRANT SELECT ON geofences TO anhu_alerts;

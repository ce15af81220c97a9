-- Refused messages can be tried again after their cause was mended: a device registered, a metric made known.

ALTER TABLE rejections ADD COLUMN payload_bytes integer NOT NULL DEFAULT -1;
COMMENT ON COLUMN rejections.payload_bytes IS 'size of the whole message; more than is kept means that it was clipped';
ALTER TABLE rejections ADD COLUMN replayed_at timestamptz;
GRANT UPDATE (replayed_at) ON rejections TO anhu_api;

ALTER TABLE shipments ADD COLUMN case_id bigint;
COMMENT ON COLUMN shipments.case_id IS 'the after-sale case whose goods the parcel brings back; it ships nothing of its order';

ALTER TABLE after_sales ADD COLUMN received_at timestamptz, ADD COLUMN parcel_id bigint;
COMMENT ON COLUMN after_sales.received_at IS 'when its goods came back to the warehouse';
COMMENT ON COLUMN after_sales.parcel_id IS 'the parcel that was delivered and came back';

CREATE TABLE after_sale_inspections (
    case_id     bigint   NOT NULL REFERENCES after_sales (id) ON DELETE CASCADE,
    version     integer  NOT NULL,
    line_no     smallint NOT NULL,
    disposition text     NOT NULL CHECK (disposition IN ('restock', 'quarantine', 'write_off', 'send_back', 'lost')),
    qty         integer  NOT NULL CHECK (qty > 0),
    PRIMARY KEY (case_id, version, line_no, disposition)
);
COMMENT ON TABLE after_sale_inspections IS 'what each report of an inspection found; `version` is that of the step of its case';

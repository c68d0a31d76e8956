-- Columns are integers, text and blobs, so that the same statements can serve other SQL stores.

-- What the site consists of -------------------------------------------------------------------------------------

CREATE TABLE site (
    id       BIGINT PRIMARY KEY CHECK (id = 1),
    settings TEXT   NOT NULL
);

CREATE TABLE building (
    code     TEXT   PRIMARY KEY,
    position BIGINT NOT NULL,
    name     TEXT   NOT NULL
);

CREATE TABLE gateway (
    code     TEXT PRIMARY KEY,
    building TEXT NOT NULL REFERENCES building (code),
    address  TEXT NOT NULL
);

CREATE TABLE bus (
    code    TEXT   PRIMARY KEY,
    gateway TEXT   NOT NULL REFERENCES gateway (code),
    baud    BIGINT NOT NULL
);

CREATE TABLE tariff (
    code     TEXT PRIMARY KEY,
    document TEXT NOT NULL
);

CREATE TABLE tenant (
    id            BIGINT PRIMARY KEY,
    code          TEXT   NOT NULL UNIQUE,
    name          TEXT   NOT NULL,
    trade         TEXT   NOT NULL,
    building      TEXT   NOT NULL REFERENCES building (code),
    floor         TEXT   NOT NULL,
    tariff        TEXT   NOT NULL REFERENCES tariff (code),
    purse         TEXT   NOT NULL CHECK (purse IN ('meter', 'station')),
    alarm_1_minor BIGINT NOT NULL,
    alarm_2_minor BIGINT NOT NULL,
    opening_minor BIGINT NOT NULL
);

CREATE TABLE meter (
    number  TEXT   PRIMARY KEY,
    bus     TEXT   NOT NULL REFERENCES bus (code),
    unit    BIGINT NOT NULL CHECK (unit BETWEEN 1 AND 247),
    model   TEXT   NOT NULL,
    tenant  TEXT   REFERENCES tenant (code),
    purpose TEXT   NOT NULL,
    peak_w  BIGINT NOT NULL
);
CREATE UNIQUE INDEX meter_place ON meter (bus, unit);

-- Money and supply: append-only ---------------------------------------------------------------------------------

-- What happened to an account, in one order for the whole station. Never updated, never deleted.
CREATE TABLE event (
    id      BIGINT PRIMARY KEY,
    account BIGINT NOT NULL,
    seq     BIGINT NOT NULL,
    utc_s   BIGINT NOT NULL,
    kind    TEXT   NOT NULL,
    body    TEXT   NOT NULL,
    UNIQUE (account, seq)
);

-- The ledger's journal: one row an entry, chained by hash. An entry's identity names the event that caused it.
CREATE TABLE journal (
    seq  BIGINT PRIMARY KEY,
    body TEXT   NOT NULL
);

-- Projections of the same transaction: what the pages show ------------------------------------------------------

CREATE TABLE account (
    id              BIGINT PRIMARY KEY REFERENCES tenant (id),
    money_state     TEXT   NOT NULL,
    supply_state    TEXT   NOT NULL,
    quarantined     BIGINT NOT NULL,
    balance_minor   BIGINT NOT NULL,
    available_minor BIGINT NOT NULL,
    updated_utc_s   BIGINT NOT NULL
);

CREATE TABLE sale (
    id              BIGINT PRIMARY KEY,
    account         BIGINT NOT NULL,
    amount_minor    BIGINT NOT NULL,
    channel         TEXT   NOT NULL,
    requested_utc_s BIGINT NOT NULL,
    state           TEXT   NOT NULL,
    closed_utc_s    BIGINT,
    was_unknown     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX sale_by_account ON sale (account, id);

-- The order that a money frame goes out on: the row is the intent, written before the first byte leaves.
CREATE TABLE outbox (
    sale         BIGINT PRIMARY KEY REFERENCES sale (id),
    event        BIGINT NOT NULL REFERENCES event (id),
    meter        BIGINT NOT NULL,
    amount_minor BIGINT NOT NULL,
    new_count    BIGINT NOT NULL,
    state        TEXT   NOT NULL CHECK (state IN ('open', 'done'))
);
CREATE INDEX outbox_open ON outbox (sale) WHERE state = 'open';

-- What a money request was answered, for ever: the same key never moves money twice.
CREATE TABLE idempotency (
    key    TEXT   PRIMARY KEY,
    record TEXT   NOT NULL,
    utc_s  BIGINT NOT NULL
);

-- Readings ------------------------------------------------------------------------------------------------------

-- The last good frame of each meter, overwritten.
CREATE TABLE latest (
    meter          TEXT   PRIMARY KEY REFERENCES meter (number),
    read_utc_s     BIGINT NOT NULL,
    energy_total   BIGINT NOT NULL,
    energy_spike   BIGINT NOT NULL,
    energy_peak    BIGINT NOT NULL,
    energy_flat    BIGINT NOT NULL,
    energy_valley  BIGINT NOT NULL,
    balance_minor  BIGINT NOT NULL,
    purchase_count BIGINT NOT NULL,
    power_w        BIGINT NOT NULL,
    voltage_dv     BIGINT NOT NULL,
    status_1       BIGINT NOT NULL,
    status_2       BIGINT NOT NULL,
    clock_drift_s  BIGINT
);

-- When a meter fell silent; no row while it answers.
CREATE TABLE silent (
    meter       TEXT   PRIMARY KEY REFERENCES meter (number),
    since_utc_s BIGINT NOT NULL
);

-- One row a meter and interval. The day stands first, so that old days go in one range.
CREATE TABLE curve (
    day            BIGINT NOT NULL,
    meter          TEXT   NOT NULL,
    utc_s          BIGINT NOT NULL,
    energy_total   BIGINT NOT NULL,
    energy_spike   BIGINT NOT NULL,
    energy_peak    BIGINT NOT NULL,
    energy_flat    BIGINT NOT NULL,
    energy_valley  BIGINT NOT NULL,
    balance_minor  BIGINT NOT NULL,
    purchase_count BIGINT NOT NULL,
    PRIMARY KEY (day, meter, utc_s)
) WITHOUT ROWID;

-- What an operator should look into: drift, disagreement, foreign writes.
CREATE TABLE finding (
    event   BIGINT NOT NULL REFERENCES event (id),
    account BIGINT NOT NULL,
    utc_s   BIGINT NOT NULL,
    kind    TEXT   NOT NULL,
    body    TEXT   NOT NULL
);

-- Remote commands. A request names many meters; the row of a meter is changed in the same transaction as the event of its order.
CREATE TABLE batch (
    id            BIGINT PRIMARY KEY,
    -- The idempotency key and the request under it, as it came.
    request_key   TEXT   NOT NULL UNIQUE,
    request       TEXT   NOT NULL,
    kind          TEXT   NOT NULL,
    operator_id   BIGINT NOT NULL,
    administrator BIGINT NOT NULL,
    why           TEXT   NOT NULL,
    until_utc_s   BIGINT,
    state         TEXT   NOT NULL CHECK (state IN ('running', 'cancelled', 'done')),
    made_utc_s    BIGINT NOT NULL
);
CREATE INDEX batch_running ON batch (id) WHERE state = 'running';

-- What becomes of one meter: waiting, sent, done, refused, not_reached, unknown, superseded or cancelled.
CREATE TABLE batch_meter (
    batch         BIGINT NOT NULL REFERENCES batch (id),
    meter         TEXT   NOT NULL REFERENCES meter (number),
    account       BIGINT NOT NULL,
    state         TEXT   NOT NULL,
    -- The version of the relay order that the row follows; 0: none.
    version       BIGINT NOT NULL,
    -- Power at the last reading before the request, W.
    power_w       BIGINT NOT NULL,
    reason        TEXT   NOT NULL,
    changed_utc_s BIGINT NOT NULL,
    PRIMARY KEY (batch, meter)
);
CREATE INDEX batch_meter_followed ON batch_meter (meter, version) WHERE version > 0;

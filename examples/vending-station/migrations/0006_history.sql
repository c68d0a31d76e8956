-- What each good poll showed, for some hours: it answers "what was it like last night".
CREATE TABLE status (
    day            BIGINT NOT NULL,
    meter          TEXT   NOT NULL,
    utc_s          BIGINT NOT NULL,
    energy_total   BIGINT NOT NULL,
    balance_minor  BIGINT NOT NULL,
    purchase_count BIGINT NOT NULL,
    power_w        BIGINT NOT NULL,
    voltage_dv     BIGINT NOT NULL,
    status_1       BIGINT NOT NULL,
    status_2       BIGINT NOT NULL,
    PRIMARY KEY (day, meter, utc_s)
) WITHOUT ROWID;

-- The last row of the curve in each local day (days since 1970), and in each local month (months since year 0).
CREATE TABLE day_end (
    span           BIGINT NOT NULL,
    meter          TEXT   NOT NULL,
    utc_s          BIGINT NOT NULL,
    energy_total   BIGINT NOT NULL,
    energy_spike   BIGINT NOT NULL,
    energy_peak    BIGINT NOT NULL,
    energy_flat    BIGINT NOT NULL,
    energy_valley  BIGINT NOT NULL,
    balance_minor  BIGINT NOT NULL,
    purchase_count BIGINT NOT NULL,
    PRIMARY KEY (meter, span)
) WITHOUT ROWID;
CREATE TABLE month_end (
    span           BIGINT NOT NULL,
    meter          TEXT   NOT NULL,
    utc_s          BIGINT NOT NULL,
    energy_total   BIGINT NOT NULL,
    energy_spike   BIGINT NOT NULL,
    energy_peak    BIGINT NOT NULL,
    energy_flat    BIGINT NOT NULL,
    energy_valley  BIGINT NOT NULL,
    balance_minor  BIGINT NOT NULL,
    purchase_count BIGINT NOT NULL,
    PRIMARY KEY (meter, span)
) WITHOUT ROWID;
-- Through which local day the days are written.
CREATE TABLE tidied (
    id        BIGINT PRIMARY KEY CHECK (id = 1),
    local_day BIGINT NOT NULL
);

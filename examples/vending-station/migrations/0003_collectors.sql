-- What the site says about its collectors.
CREATE TABLE collector (
    code     TEXT PRIMARY KEY,
    key_file TEXT NOT NULL
);
ALTER TABLE gateway ADD COLUMN collector TEXT REFERENCES collector (code);

-- The numbers of orders to a collector begin anew, higher, with each start of the station.
CREATE TABLE order_start (
    collector TEXT   PRIMARY KEY,
    start     BIGINT NOT NULL
);

-- The last reading of a line that is stored of each queue: written by the transaction that stores the reading. A collector
-- whose journal was lost begins another queue.
CREATE TABLE line_mark (
    line  TEXT   NOT NULL,
    queue TEXT   NOT NULL,
    seq   BIGINT NOT NULL,
    PRIMARY KEY (line, queue)
);

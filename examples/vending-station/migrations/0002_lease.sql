-- Who may write a database that several processes can reach. A file is locked by the operating system instead.
CREATE TABLE lease (
    name     TEXT   PRIMARY KEY,
    -- Grows each time the lease changes hands; checked in every transaction that writes.
    fence    BIGINT NOT NULL,
    -- End of the lease by the database's clock, ms.
    until_ms BIGINT NOT NULL
);

-- What the site says about its collectors.
CREATE TABLE collector (
    code     TEXT PRIMARY KEY,
    key_file TEXT NOT NULL
);
ALTER TABLE gateway ADD COLUMN collector TEXT REFERENCES collector (code);

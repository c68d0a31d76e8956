-- Accounts of restored books whose meter was not read since: the meter may hold credit that the backup doesn't know, so
-- nothing is sold until its purchase count and balance were read and agree.
CREATE TABLE unproved (
    account BIGINT PRIMARY KEY REFERENCES account (id)
);

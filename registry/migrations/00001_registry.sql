-- +goose Up

-- The types are those that SQLite and PostgreSQL share. Times are Unix milliseconds in UTC, ids are slugs, and "no such
-- thing" in a reference is NULL.

-- One row: the version grows by one with every transaction that changes anything. Other processes watch it.
CREATE TABLE revision (
    id      SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
    version BIGINT   NOT NULL
);
INSERT INTO revision (id, version) VALUES (1, 0);

CREATE TABLE districts (
    id    VARCHAR(63) NOT NULL PRIMARY KEY,
    title TEXT        NOT NULL
);

CREATE TABLE sites (
    id       VARCHAR(63)      NOT NULL PRIMARY KEY,
    title    TEXT             NOT NULL,
    district VARCHAR(63)      REFERENCES districts (id),
    lon      DOUBLE PRECISION NOT NULL,
    lat      DOUBLE PRECISION NOT NULL
);
CREATE INDEX sites_district ON sites (district);

-- quantities: names out of the catalogue in alphabetical order, separated by one space.
CREATE TABLE sensors (
    id         VARCHAR(63) NOT NULL PRIMARY KEY,
    title      TEXT        NOT NULL,
    site       VARCHAR(63) REFERENCES sites (id),
    publisher  VARCHAR(63),
    quantities TEXT        NOT NULL,
    cadence_ms BIGINT      NOT NULL,
    created_at BIGINT      NOT NULL,
    updated_at BIGINT      NOT NULL
);
CREATE INDEX sensors_site ON sensors (site);

-- password_hash: bcrypt, in its own text form.
CREATE TABLE publishers (
    id              VARCHAR(63) NOT NULL PRIMARY KEY,
    password_hash   VARCHAR(72) NOT NULL,
    may_publish_all BOOLEAN     NOT NULL,
    created_at      BIGINT      NOT NULL
);

-- One row at most: the street plan, a GeoJSON FeatureCollection.
CREATE TABLE plan (
    id         SMALLINT    NOT NULL PRIMARY KEY CHECK (id = 1),
    tag        VARCHAR(64) NOT NULL,
    body       TEXT        NOT NULL,
    updated_at BIGINT      NOT NULL
);

-- Who changed what, and when: line 0, 1, 2 ... of what made this version. Snapshots are brought up to date from it, so
-- the rows of a version are written in its transaction.
CREATE TABLE audit (
    version BIGINT       NOT NULL,
    line    INTEGER      NOT NULL,
    at      BIGINT       NOT NULL,
    actor   VARCHAR(128) NOT NULL,
    action  VARCHAR(16)  NOT NULL,
    kind    VARCHAR(16)  NOT NULL,
    subject VARCHAR(63)  NOT NULL,
    fields  TEXT         NOT NULL,
    PRIMARY KEY (version, line)
);
CREATE INDEX audit_subject ON audit (subject, version);

alter table failures add column transient_runs integer not null default 0;
comment on column failures.transient_runs is 'Runs that failed for what may pass since the last success; to wait for a site, or an upload, does not end the count.';
update failures set transient_runs = attempts where kind = 'transient';

-- name: reserve
insert into sites as site (host, next_request_at)
values (%(host)s, clock_timestamp() + %(every)s)
on conflict (host) do update
set next_request_at = greatest(site.next_request_at, clock_timestamp()) + %(every)s
where site.blocked_until is null or site.blocked_until <= clock_timestamp()
returning extract(epoch from next_request_at - %(every)s - clock_timestamp())::float8

-- name: blocked
select blocked_until, reason from sites where host = %s and blocked_until > clock_timestamp()

-- name: blocked_hosts
select host from sites where blocked_until > clock_timestamp() order by host

-- name: block
insert into sites as site (host, blocked_until, reason)
values (%(host)s, %(until)s, %(reason)s)
on conflict (host) do update set
    blocked_until = excluded.blocked_until,
    reason = excluded.reason
where site.blocked_until is null or site.blocked_until < excluded.blocked_until

-- name: unblock
update sites set blocked_until = null, reason = null
where host = any(%s) and blocked_until is not null

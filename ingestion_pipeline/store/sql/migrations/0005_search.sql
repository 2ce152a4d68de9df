-- Not a column of type regconfig: pg_upgrade refuses a database that has one.
create function search_configuration(language text) returns regconfig
language sql immutable parallel safe
return case language
    when 'ar' then 'pg_catalog.arabic'::regconfig
    when 'ca' then 'pg_catalog.catalan'::regconfig
    when 'da' then 'pg_catalog.danish'::regconfig
    when 'de' then 'pg_catalog.german'::regconfig
    when 'el' then 'pg_catalog.greek'::regconfig
    when 'en' then 'pg_catalog.english'::regconfig
    when 'es' then 'pg_catalog.spanish'::regconfig
    when 'eu' then 'pg_catalog.basque'::regconfig
    when 'fi' then 'pg_catalog.finnish'::regconfig
    when 'fr' then 'pg_catalog.french'::regconfig
    when 'hi' then 'pg_catalog.hindi'::regconfig
    when 'hu' then 'pg_catalog.hungarian'::regconfig
    when 'hy' then 'pg_catalog.armenian'::regconfig
    when 'id' then 'pg_catalog.indonesian'::regconfig
    when 'it' then 'pg_catalog.italian'::regconfig
    when 'lt' then 'pg_catalog.lithuanian'::regconfig
    when 'ne' then 'pg_catalog.nepali'::regconfig
    when 'nl' then 'pg_catalog.dutch'::regconfig
    when 'no' then 'pg_catalog.norwegian'::regconfig
    when 'nn' then 'pg_catalog.norwegian'::regconfig
    when 'pt' then 'pg_catalog.portuguese'::regconfig
    when 'ro' then 'pg_catalog.romanian'::regconfig
    when 'ru' then 'pg_catalog.russian'::regconfig
    when 'sr' then 'pg_catalog.serbian'::regconfig
    when 'sv' then 'pg_catalog.swedish'::regconfig
    when 'ta' then 'pg_catalog.tamil'::regconfig
    when 'tr' then 'pg_catalog.turkish'::regconfig
    when 'yi' then 'pg_catalog.yiddish'::regconfig
    else 'pg_catalog.simple'::regconfig
end;
comment on function search_configuration is 'How words of a language, by Whisper''s code, are reduced to their stems: those that PostgreSQL 15 knows.';

alter table passages add column language text;
update passages p set language = coalesce((select t.language from transcripts t where t.video = p.video), 'en');
alter table passages
    alter column language set not null,
    add column words tsvector not null generated always as (to_tsvector(search_configuration(language), text)) stored;
create index passages_words on passages using gin (words);

alter table embedding_models
    add column active boolean not null default false,
    add column index_build_s real;
comment on column embedding_models.active is 'The one that a search asks; the first is, until another has embedded all that this one has.';
create unique index embedding_models_active on embedding_models (active) where active;
update embedding_models set active = true where id = (
    select m.id from embedding_models m left join embedded_videos e on e.model = m.id
    group by m.id order by count(e.video) desc, m.id limit 1
);

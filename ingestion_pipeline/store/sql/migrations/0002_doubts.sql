alter table transcripts
    add column decoded_again integer not null default 0,
    add column left_out_s double precision not null default 0;
comment on column transcripts.left_out_s is 'Speech that the recogniser failed on twice; it is not in the text.';

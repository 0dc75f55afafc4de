-- sequences that are said to be a column's
create table t (id int not null, v text);
create sequence t_id_seq owned by t.id;
alter table t alter id set default nextval('t_id_seq');
insert into t (v) values ('a'), ('b') returning id;
select pg_get_serial_sequence('t', 'id');
create sequence s owned by none;
select nextval('s');
alter sequence s owned by none;
alter sequence nothing_there owned by none;
drop table t;
create sequence t_id_seq;
select nextval('s');
drop sequence s;
